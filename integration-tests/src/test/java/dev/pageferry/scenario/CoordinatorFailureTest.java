package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.Failpoint;
import dev.pageferry.support.TestCluster;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The coordinator dies and comes back; what it has answered stays true. */
class CoordinatorFailureTest {
  private TestCluster cluster;

  @BeforeEach
  void start() throws Exception {
    cluster = TestCluster.start("coordinator", "512MiB", "host-a", "host-b");
    cluster.createWriter("vm", "host-a", 64, 2, Map.of("rate", "50MB/s", "workingSet", "8MiB"));
  }

  @AfterEach
  void stop() throws Exception {
    cluster.close();
  }

  @Test
  void vmsRunOnWithoutTheCoordinatorAndItKnowsThemAgainAfterSigkill() throws Exception {
    long steps = cluster.vm("vm").getSteps();
    cluster.coordinator().kill();
    cluster.restartCoordinator();
    Vm vm = cluster.awaitVm("vm", Vm.State.RUNNING, "host-a");
    assertThat(vm.getSteps()).isGreaterThan(steps);
    assertThat(cluster.migrateAndWait("vm", "host-b").getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(cluster.verify("vm").getIdentical()).isTrue();
  }

  @Test
  void aMigrationWhoseCoordinatorDiesDuringPreCopyIsTakenUpByTheNextAndCompletes() throws Exception {
    Failpoint failpoint = cluster.hold("host-a", "source.pre-copy.round-done");
    Migration migration = cluster.migrate("vm", "host-b");
    failpoint.awaitReached();
    cluster.coordinator().kill();
    failpoint.release();
    // It gets as far as its switchover, finds nobody who could commit, and keeps the guest running meanwhile.
    cluster.agent("host-a").awaitLog(Pattern.compile("switchover 1 of 5 put off: COORDINATOR_SILENT"));
    cluster.restartCoordinator();

    assertThat(cluster.awaitEnd(migration.getId()).getState()).isEqualTo(Migration.State.COMPLETED);
    cluster.awaitVm("vm", Vm.State.RUNNING, "host-b");
    assertThat(cluster.verify("vm").getIdentical()).isTrue();
  }

  @Test
  void aSourceThatCannotAskForItsCommitStaysInDoubtUntilTheCoordinatorIsBack() throws Exception {
    Failpoint failpoint = cluster.hold("host-a", "source.storage-handoff.before-commit");
    Migration migration = cluster.migrate("vm", "host-b");
    failpoint.awaitReached();
    cluster.coordinator().kill();
    failpoint.release();
    cluster.agent("host-a").awaitLog(Pattern.compile("in doubt: the coordinator did not answer"));
    cluster.restartCoordinator();

    assertThat(cluster.awaitEnd(migration.getId()).getState()).isEqualTo(Migration.State.COMPLETED);
    cluster.awaitVm("vm", Vm.State.RUNNING, "host-b");
    assertThat(cluster.verify("vm").getIdentical()).isTrue();
  }

  @Test
  void aCommitWhoseAnswerIsLostIsNotMadeTwice() throws Exception {
    Failpoint failpoint = cluster.hold("host-a", "source.storage-handoff.decided");
    Migration migration = cluster.migrate("vm", "host-b");
    failpoint.awaitReached();
    cluster.coordinator().kill();
    cluster.restartCoordinator();
    failpoint.release();

    assertThat(cluster.awaitEnd(migration.getId()).getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(cluster.awaitVm("vm", Vm.State.RUNNING, "host-b").getEpoch()).isEqualTo(2);
    assertThat(cluster.verify("vm").getIdentical()).isTrue();
  }
}
