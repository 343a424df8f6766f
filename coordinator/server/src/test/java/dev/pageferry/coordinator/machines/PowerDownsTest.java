package dev.pageferry.coordinator.machines;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.QemuMachine;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Guests that switch themselves off. */
class PowerDownsTest extends MachinesFixture {
  @BeforeEach
  void createMachine() throws RequestException {
    CreateVmRequest request = FakeSite.request("tux", "a").toBuilder().clearProgram()
        .setQemu(QemuMachine.newBuilder().setKernel("/boot/vmlinuz")).build();
    Vm _ = machines.create(request);
    site.heartbeat("a");
  }

  private void tells(VmStatus.State state, String reason) {
    site.hosts("a", "tux", status -> status.setState(state).setReason(reason).setEpoch(site.row("tux").getEpoch()));
    site.heartbeat("a");
  }

  @Test
  void aGuestIsAskedToSwitchItselfOffBeforeItIsStopped() throws RequestException {
    assertThat(machines.stop("tux").getState()).isEqualTo(Vm.State.STOPPED);
    assertThat(site.agent("a").count("powerDownVm")).isEqualTo(1);
    assertThat(site.agent("a").vms()).isEmpty();
  }

  @Test
  void byForceItIsNotAskedAndNorIsAGuestWithoutAButton() throws RequestException {
    assertThat(machines.stop("tux", false, true).getState()).isEqualTo(Vm.State.STOPPED);
    site.createVm("db", "b");
    assertThat(machines.stop("db").getState()).isEqualTo(Vm.State.STOPPED);
    assertThat(site.agent("a").count("powerDownVm")).isZero();
    assertThat(site.agent("b").count("powerDownVm")).isZero();
  }

  @Test
  void aGuestWhoseHostDoesNotSwitchItOffStays() throws RequestException {
    site.agent("a").refuse("powerDownVm", AgentException.Kind.REFUSED, "QEMU did not answer");
    refused(Kind.REFUSED, () -> machines.stop("tux"), "QEMU did not answer");
    assertThat(site.row("tux").getPhase()).isEqualTo(VmRecord.Phase.ACTIVE);
    assertThat(machines.stop("tux", false, true).getState()).isEqualTo(Vm.State.STOPPED);
  }

  @Test
  void aGuestThatSwitchedItselfOffIsStoppedByTheCoordinator() throws Exception {
    Task following = Scheduler.SYSTEM.start("test", () -> {
      try {
        machines.stopPoweredOff();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
    try {
      tells(VmStatus.State.POWERED_OFF, "the guest switched itself off");
      assertThat(machines.show("tux").getState()).isEqualTo(Vm.State.STOPPED);
      await().atMost(Duration.ofSeconds(30)).until(() -> site.row("tux").getPhase() == VmRecord.Phase.STOPPED);
      await().atMost(Duration.ofSeconds(30)).until(() -> site.agent("a").vms().isEmpty());
    } finally {
      following.interrupt();
    }
  }

  @Test
  void whatAnEarlierCopySaysOfItselfStopsNobody() throws RequestException {
    site.hosts("a", "tux", status -> status.setState(VmStatus.State.POWERED_OFF).setEpoch(0));
    site.heartbeat("a");
    assertThat(machines.list().getFirst().getState()).isNotEqualTo(Vm.State.STOPPED);
  }

  @Test
  void aGuestThatCrashedHasFailedWithItsReasonAndIsStartedAnew() throws RequestException {
    tells(VmStatus.State.FAILED, "the guest's kernel panicked");
    Vm failed = machines.show("tux");
    assertThat(failed.getState()).isEqualTo(Vm.State.FAILED);
    assertThat(failed.getReason()).isEqualTo("the guest's kernel panicked");

    assertThat(machines.start("tux", "", false).getState()).isEqualTo(Vm.State.RUNNING);
    assertThat(site.row("tux").getEpoch()).isEqualTo(2);
  }
}
