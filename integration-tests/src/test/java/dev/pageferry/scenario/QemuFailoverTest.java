package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.HaStatus;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.LinuxGuest;
import dev.pageferry.support.MachineOnHost;
import dev.pageferry.support.TestCluster;
import dev.pageferry.support.TickingGuest;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Machines of QEMU whose host stops, or only its agent. */
@Timeout(240)
class QemuFailoverTest {
  private static final Duration SOON = Duration.ofSeconds(60);

  private static TestCluster cluster;

  @BeforeAll
  static void start() throws Exception {
    LinuxGuest _ = LinuxGuest.orSkip();
    cluster = TestCluster.start("qemu-failover", "512MiB", "fail-a", "fail-b");
    HaStatus _ = cluster.arm(true);
  }

  @AfterAll
  static void stop() throws Exception {
    if (cluster != null) {
      cluster.close();
    }
  }

  private static MachineOnHost boot(String vm) throws Exception {
    cluster.createDisk("boot-" + vm, Disk.Format.RAW, 1);
    TickingGuest.install(cluster.disk("boot-" + vm, Disk.Format.RAW));
    Vm _ = cluster.createMachine(vm, "fail-a", 64, "boot-" + vm);
    awaitTicking(vm);
    return MachineOnHost.of(cluster.vm(vm), "fail-a");
  }

  private static void awaitTicking(String vm) {
    int before = cluster.console(vm).length();
    await().atMost(SOON).ignoreExceptions().until(() -> cluster.console(vm).length() > before + 3);
  }

  private static void awaitElsewhere(String vm) {
    await(vm + " runs elsewhere").atMost(SOON)
        .until(() -> cluster.vm(vm).getState() == Vm.State.RUNNING && cluster.vm(vm).getHost().equals("fail-b"));
    await().atMost(SOON).ignoreExceptions().until(() -> !cluster.console(vm).isEmpty());
    awaitTicking(vm);
  }

  @Test
  void aMachineWhoseHostDiesWithAllItsProcessesRunsElsewhere() throws Exception {
    MachineOnHost machine = boot("dies");
    cluster.agent("fail-a").kill();
    machine.signalKeeper("KILL");
    awaitElsewhere("dies");
    assertThat(machine.qemu()).isEmpty();
    cluster.restart("fail-a");
    cluster.delete("dies");
  }

  @Test
  void aMachineWhoseAgentAloneDiesIsKeptForTheNextOne() throws Exception {
    MachineOnHost machine = boot("stays");
    cluster.agent("fail-a").kill();
    await().atMost(SOON).until(() -> cluster.ferry("ha", "status").output()
        .contains("its machine is kept there for the next agent, as long as --keep-guests says"));
    assertThat(machine.qemu()).isPresent();
    cluster.restart("fail-a");
    cluster.awaitVm("stays", Vm.State.RUNNING, "fail-a");
    awaitTicking("stays");
    assertThat(machine.qemu()).as("the same QEMU all the time").isPresent();
    assertThat(cluster.vm("stays").getEpoch()).isEqualTo(2);
    await().atMost(SOON)
        .until(() -> cluster.ferryJson("ha", "status", "-o", "json").getAsJsonArray("waiting").isEmpty());
    cluster.delete("stays");
    machine.awaitGone();
  }

  @Test
  void aMachineWhoseAgentStaysAwayRunsElsewhereOnceItIsNotKeptAnyMore() throws Exception {
    cluster.restartWith("fail-a", "--keep-guests", "5s");
    MachineOnHost machine = boot("waits");
    cluster.agent("fail-a").kill();
    awaitElsewhere("waits");
    assertThat(machine.qemu()).isEmpty();
    assertThat(machine.keeper()).isEmpty();
    cluster.restartWith("fail-a");
    cluster.delete("waits");
  }
}
