package dev.pageferry.coordinator.machines;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import java.io.IOException;
import java.nio.file.Path;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A site of two hosts whose agents are played, with the real records and inventory. */
abstract class MachinesFixture {
  @TempDir
  Path directory;
  FakeSite site;
  Machines machines;

  @BeforeEach
  void open() throws IOException {
    site = new FakeSite(directory);
    machines = site.machines();
    site.register("a");
    site.register("b");
  }

  @AfterEach
  void close() {
    site.close();
  }

  static void refused(Kind kind, ThrowingCallable request, String part) {
    RequestException refusal = catchThrowableOfType(RequestException.class, request);
    assertThat(refusal).as("a refusal that says '%s'", part).isNotNull();
    assertThat(refusal.kind()).isEqualTo(kind);
    assertThat(refusal).hasMessageContaining(part);
    assertThat(refusal.getMessage()).doesNotContain("\n");
  }
}
