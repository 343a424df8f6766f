package dev.pageferry.coordinator.maintenance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.fakes.SiteFixture;
import dev.pageferry.proto.cluster.v1.BeginRollingRequest;
import dev.pageferry.proto.cluster.v1.NoteRollingRequest;
import dev.pageferry.proto.cluster.v1.Rolling;
import dev.pageferry.proto.cluster.v1.RollingHost;
import dev.pageferry.proto.cluster.v1.RollingHost.Phase;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** How far rolling drains are, and who drives them. */
class RollingDrainsTest extends SiteFixture {
  private RollingDrains drains() {
    return new RollingDrains(site.inventory(), Scheduler.SYSTEM);
  }

  private static BeginRollingRequest.Builder begin(String runner, String command) {
    return BeginRollingRequest.newBuilder().setRunner(runner).setCommand(command);
  }

  private static NoteRollingRequest note(String runner, String host, Phase phase) {
    return NoteRollingRequest.newBuilder().setRunner(runner).setHost(host).setPhase(phase).build();
  }

  /** As if its runner had been killed long ago. */
  private void abandon() {
    Rolling rolling = site.inventory().plans().rolling().orElseThrow();
    site.inventory().plans().putRolling(Optional.of(rolling.toBuilder().clearHeardAt().build()));
  }

  @Test
  void oneThatStoppedGoesOnWhereItWasUnderTheNextCoordinatorToo() throws Exception {
    Rolling begun = drains().begin(begin("one", "upgrade").build());
    assertThat(begun.getHostsList()).extracting(RollingHost::getHost).containsExactly("a", "b");
    Rolling _ = drains().note(note("one", "a", Phase.DONE));
    Rolling _ = drains().note(note("one", "b", Phase.DRAINING));
    abandon();
    site = site.afterCoordinatorRestart();
    site.register("a");
    Rolling again = drains().begin(begin("two", "upgrade").build());
    assertThat(again.getHostsList()).extracting(RollingHost::getPhase).containsExactly(Phase.DONE, Phase.DRAINING);
    Rolling _ = drains().note(NoteRollingRequest.newBuilder().setRunner("two").setEnd(true).build());
    assertThat(drains().begin(begin("three", "upgrade").build()).getHostsList()).extracting(RollingHost::getPhase)
        .containsOnly(Phase.AHEAD);
  }

  @Test
  void twoCommandsDoNotDriveOne() throws Exception {
    Rolling _ = drains().begin(begin("one", "reboot").build());
    assertThatThrownBy(() -> drains().begin(begin("two", "reboot").build()))
        .hasMessageContaining("another 'ferry host drain --rolling' is running");
    assertThatThrownBy(() -> drains().begin(begin("two", "reboot").setAnew(true).build()))
        .hasMessageContaining("another 'ferry host drain --rolling' is running");
    abandon();
    Rolling _ = drains().begin(begin("two", "reboot").build());
    assertThatThrownBy(() -> drains().note(note("one", "a", Phase.DRAINING)))
        .hasMessageContaining("another runner has this rolling drain by now");
  }

  @Test
  void anotherOneThanTheOneThatStoppedIsNotTakenForIt() throws Exception {
    Rolling _ = drains().begin(begin("one", "upgrade-1").addHosts("b").build());
    abandon();
    assertThatThrownBy(() -> drains().begin(begin("two", "upgrade-2").addHosts("b").build()))
        .hasMessageContaining("--then 'upgrade-1' stopped before its end").hasMessageContaining("--anew");
    assertThatThrownBy(() -> drains().begin(begin("two", "upgrade-1").addHosts("a").build()))
        .hasMessageContaining("--anew");
    assertThatThrownBy(() -> drains().begin(begin("two", "upgrade-1").build())).as("all hosts")
        .hasMessageContaining("--anew");
    assertThatThrownBy(() -> drains().begin(begin("two", "upgrade-1").addHosts("b").setQuick(true).build()))
        .hasMessageContaining("--anew");
    assertThat(drains().begin(begin("one", "upgrade-1").addHosts("b").addHosts("b").build()).getHostsCount())
        .isEqualTo(1);
    assertThat(drains().begin(begin("one", "upgrade-2").addHosts("a").setAnew(true).build()).getHosts(0).getHost())
        .isEqualTo("a");
    assertThatThrownBy(() -> drains().begin(begin("two", "").addHosts("nobody").build()))
        .hasMessageContaining("nobody");
    assertThatThrownBy(() -> drains().begin(begin("", "").build())).hasMessageContaining("a runner");
  }
}
