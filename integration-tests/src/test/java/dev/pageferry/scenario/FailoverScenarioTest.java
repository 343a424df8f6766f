package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.journal.JournalReader;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.TestCluster;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Hosts that stop, and VMs that run again elsewhere by themselves, with processes that are killed and frozen. */
@Timeout(240)
class FailoverScenarioTest {
  private static final Map<String, String> JOURNAL = Map.of();
  private static final List<String> VMS = List.of("vm-1", "vm-2", "vm-3");

  private static TestCluster cluster;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.start("failover", "512MiB", "host-a", "host-b", "host-c");
    cluster.arm(true);
  }

  @AfterAll
  static void stop() throws Exception {
    cluster.close();
  }

  @BeforeEach
  void createVms() throws Exception {
    for (String each : VMS) {
      var unused = cluster.createWithDisk(each, "host-a", 64, "journal", JOURNAL, 8);
    }
  }

  @AfterEach
  void heal() throws Exception {
    cluster.heal();
  }

  /** The newest record of the VM's journal under an epoch; 0: it has none. */
  private static long newest(String vm, long epoch) throws Exception {
    for (JournalReader.Journal each : cluster.journals(vm)) {
      assertThat(each.problems()).isEmpty();
      if (each.lastEpoch() == epoch) {
        return each.last();
      }
    }
    return 0;
  }

  private static void awaitElsewhere(String vm) {
    Awaitility.await(vm + " runs elsewhere").atMost(Duration.ofSeconds(60)).until(
        () -> cluster.vm(vm).getState() == Vm.State.RUNNING && !cluster.vm(vm).getHost().equals("host-a"));
  }

  @Test
  void vmsOfAHostThatIsKilledRunElsewhereWithAllThatTheyHadWritten() throws Exception {
    for (String each : VMS) {
      Awaitility.await().until(() -> newest(each, 1) > 0);
    }
    cluster.agent("host-a").kill();
    Map<String, Long> before = new HashMap<>();
    for (String each : VMS) {
      before.put(each, newest(each, 1));
    }
    for (String each : VMS) {
      awaitElsewhere(each);
      assertThat(cluster.vm(each).getEpoch()).isEqualTo(2);
      Awaitility.await("it writes on behind what it had written").until(() -> newest(each, 2) > before.get(each));
    }
    cluster.restart("host-a");
    Awaitility.await().until(() -> cluster.host("host-a").getState() == Host.State.UP);
    for (String each : VMS) {
      assertThat(cluster.vm(each).getState()).isEqualTo(Vm.State.RUNNING);
      assertThat(cluster.vm(each).getHost()).isNotEqualTo("host-a");
    }
  }

  @Test
  void aHostThatIsFrozenKeepsItsVmsWhichGoOnWhenItWakes() throws Exception {
    cluster.agent("host-a").freeze();
    Awaitility.await().until(() -> cluster.vm("vm-1").getReason().contains("its agent keeps its lock"));
    assertThat(cluster.ferry("ha", "status").output()).contains("vm-1", "vm-2", "vm-3", "keeps its lock");
    cluster.agent("host-a").thaw();
    for (String each : VMS) {
      cluster.awaitVm(each, Vm.State.RUNNING, "host-a");
      assertThat(cluster.vm(each).getEpoch()).isEqualTo(1);
    }
  }

  @Test
  void aCoordinatorThatWasAwayMeanwhileRestartsThemWhenItIsBack() throws Exception {
    cluster.agent("host-a").kill();
    cluster.coordinator().kill();
    cluster.startCoordinator();
    for (String each : VMS) {
      awaitElsewhere(each);
    }
    cluster.restart("host-a");
  }
}
