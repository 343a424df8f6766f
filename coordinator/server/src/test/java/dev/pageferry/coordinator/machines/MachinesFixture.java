package dev.pageferry.coordinator.machines;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.pageferry.coordinator.fakes.SiteFixture;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;

/** What operators do with VMs, at a site that is played. */
abstract class MachinesFixture extends SiteFixture {
  Machines machines;

  @BeforeEach
  void takeMachines() {
    machines = site.machines();
  }

  static void refused(Kind kind, ThrowingCallable request, String part) {
    RequestException refusal = catchThrowableOfType(RequestException.class, request);
    assertThat(refusal).as("a refusal that says '%s'", part).isNotNull();
    assertThat(refusal.kind()).isEqualTo(kind);
    assertThat(refusal).hasMessageContaining(part);
    assertThat(refusal.getMessage()).doesNotContain("\n");
  }
}
