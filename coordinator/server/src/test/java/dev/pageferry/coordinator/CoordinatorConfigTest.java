package dev.pageferry.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.config.Settings;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class CoordinatorConfigTest {
  @Test
  void withoutOptionsACoordinatorListensOnLoopbackOnly() throws Exception {
    CoordinatorConfig config = CoordinatorConfig
        .from(new Settings(CoordinatorConfig.NAMES, Map.of("data", "records"), Map.of(), null));

    assertThat(List.of(config.listen(), config.http()))
        .allSatisfy(each -> assertThat(each.host()).isEqualTo("127.0.0.1"));
  }
}
