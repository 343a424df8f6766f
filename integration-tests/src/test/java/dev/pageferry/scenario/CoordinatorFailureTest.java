package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.HeldMigration;
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

  /** A migration to host-b, whose source is held at a point of it. */
  private HeldMigration heldAt(String point) throws Exception {
    return cluster.holdMigration("host-a", point, () -> cluster.migrate("vm", "host-b"));
  }

  private Vm assertCompletes(HeldMigration migration) {
    assertThat(migration.end().getState()).isEqualTo(Migration.State.COMPLETED);
    Vm vm = cluster.awaitVm("vm", Vm.State.RUNNING, "host-b");
    assertThat(cluster.verify("vm").getIdentical()).isTrue();
    return vm;
  }

  @Test
  void aMigrationWhoseCoordinatorDiesDuringPreCopyIsTakenUpByTheNextAndCompletes() throws Exception {
    HeldMigration held = heldAt("source.pre-copy.round-done");
    held.killCoordinator();
    // It gets as far as its switchover, finds nobody who could commit, and keeps the guest running meanwhile.
    cluster.agent("host-a").awaitLog(Pattern.compile("switchover 1 of 5 put off: COORDINATOR_SILENT"));
    cluster.restartCoordinator();

    assertCompletes(held);
  }

  @Test
  void aSourceThatCannotAskForItsCommitStaysInDoubtUntilTheCoordinatorIsBack() throws Exception {
    HeldMigration held = heldAt("source.storage-handoff.before-commit");
    held.killCoordinator();
    cluster.agent("host-a").awaitLog(Pattern.compile("in doubt: the coordinator did not answer"));
    cluster.restartCoordinator();

    assertCompletes(held);
  }

  @Test
  void aCommitWhoseAnswerIsLostIsNotMadeTwice() throws Exception {
    HeldMigration held = heldAt("source.storage-handoff.decided");
    cluster.coordinator().kill();
    cluster.restartCoordinator();
    held.release();

    assertThat(assertCompletes(held).getEpoch()).isEqualTo(2);
  }
}
