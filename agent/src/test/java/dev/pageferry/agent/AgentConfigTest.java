package dev.pageferry.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.config.Settings;
import dev.pageferry.common.config.SettingsException;
import dev.pageferry.common.server.ServerSecurity;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class AgentConfigTest {
  private static AgentConfig config(Map<String, String> flags) throws SettingsException {
    Map<String, String> all = new HashMap<>(Map.of("host-id", "host-a", "memory", "1GiB"));
    all.putAll(flags);
    List<String> names = new ArrayList<>(AgentConfig.NAMES);
    names.addAll(ServerSecurity.SETTINGS);
    return AgentConfig.from(new Settings(names, all, Map.of(), null));
  }

  @Test
  void withoutOptionsAnAgentListensOnLoopbackOnlyAndSendsPagesWithCubic() throws Exception {
    AgentConfig config = config(Map.of());

    assertThat(List.of(config.listen(), config.migrationListen(), config.http()))
        .allSatisfy(each -> assertThat(each.host()).isEqualTo("127.0.0.1"));
    // VXLAN listens where migrations come in.
    assertThat(config.vxlanListen()).isEmpty();
    assertThat(config.congestionControl()).hasToString("cubic");
  }

  @Test
  void aWildcardAddressNeedsAnAddressThatOthersAreTold() throws Exception {
    for (String option : List.of("listen", "migration-listen", "vxlan-listen")) {
      assertThatThrownBy(() -> config(Map.of(option, "0.0.0.0:7410"))).as(option)
          .isInstanceOf(SettingsException.class).hasMessageContaining("--advertise is missing");
    }
    assertThat(config(Map.of("listen", "0.0.0.0:7410", "advertise", "10.0.0.12", "tls-cert", "c", "tls-key", "k",
        "tls-ca", "a")).advertise()).contains("10.0.0.12");
  }

  @Test
  void whoKnowsNobodyByCertificatesListensOnLoopbackOnly() throws Exception {
    for (String option : List.of("listen", "migration-listen", "http")) {
      assertThatThrownBy(() -> config(Map.of(option, "10.0.0.12:7410"))).as(option)
          .isInstanceOf(SettingsException.class)
          .hasMessageContaining("--%s 10.0.0.12:7410 is beyond loopback".formatted(option));
      assertThat(config(Map.of(option, "10.0.0.12:7410", "tls-cert", "c", "tls-key", "k", "tls-ca", "a")).security()
          .files()).as(option).isPresent();
    }
    assertThatThrownBy(() -> config(Map.of("http", "10.0.0.12:7430", "http-plain", "true", "tls-cert", "c", "tls-key",
        "k", "tls-ca", "a"))).hasMessageContaining("no --http-plain");
    assertThatThrownBy(() -> config(Map.of("tls-cert", "c"))).hasMessageContaining("together or not at all");
  }
}
