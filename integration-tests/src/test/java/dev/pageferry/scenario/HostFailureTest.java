package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.proto.cluster.v1.CancelMigrationRequest;
import dev.pageferry.proto.cluster.v1.DeleteVmRequest;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.StartVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.Failpoint;
import dev.pageferry.support.HeldMigration;
import dev.pageferry.support.ServerProcess;
import dev.pageferry.support.TestCluster;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The failure table of docs/MIGRATION.md: processes killed or frozen at named points of a migration. */
class HostFailureTest {
  private static final long HOST_MEMORY = 512L << 20;
  private static final Map<String, String> BUSY = Map.of("rate", "40MB/s", "workingSet", "8MiB");

  private static TestCluster cluster;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.start("failure", "512MiB", "host-a", "host-b", "host-c");
  }

  @AfterAll
  static void stop() throws Exception {
    cluster.close();
  }

  @BeforeEach
  void createVm() {
    cluster.createWriter("vm", "host-a", 64, 2, BUSY);
  }

  @AfterEach
  void heal() throws Exception {
    cluster.heal();
  }

  /** A live migration to host-b, with a host held at a point of it. */
  private static HeldMigration held(String host, String point) throws Exception {
    return cluster.holdMigration(host, point, () -> cluster.migrate("vm", "host-b"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"destination.setup.configured", "destination.setup.accepted", "destination.stop-and-copy.last-page",
          "destination.stop-and-copy.before-ready"})
  void aDestinationThatIsKilledLosesNothingAndASecondTryElsewhereSucceeds(String point) throws Exception {
    HeldMigration held = held("host-b", point);
    cluster.agent("host-b").kill();

    Migration ended = held.end();
    assertThat(ended.getState()).isEqualTo(Migration.State.FAILED);
    assertThat(ended.getFailure().getCode()).isEqualTo("DESTINATION_LOST");
    assertGoesOnAt("host-a", 1);
    assertThat(cluster.migrateAndWait("vm", "host-c").getState()).isEqualTo(Migration.State.COMPLETED);
    assertGoesOnAt("host-c", 2);
  }

  @Test
  void aDestinationThatIsKilledDuringPreCopyLosesNothing() throws Exception {
    HeldMigration held = held("host-a", "source.pre-copy.round-done");
    held.kill("host-b");

    assertThat(held.end().getState()).isEqualTo(Migration.State.FAILED);
    assertGoesOnAt("host-a", 1);
    assertThat(cluster.migrateAndWait("vm", "host-c").getState()).isEqualTo(Migration.State.COMPLETED);
    assertGoesOnAt("host-c", 2);
  }

  @Test
  void aDestinationThatFreezesInStopAndCopyIsGivenUpAndForgetsTheVmWhenItWakes() throws Exception {
    HeldMigration held = held("host-b", "destination.stop-and-copy.before-ready");
    held.freeze("host-b");

    assertThat(held.end().getFailure().getCode()).isEqualTo("DESTINATION_LOST");
    assertGoesOnAt("host-a", 1);
    cluster.agent("host-b").thaw();
    Awaitility.await().until(() -> cluster.host("host-b").getState() == Host.State.UP);
    cluster.awaitFreeMemory("host-b", HOST_MEMORY);
    assertGoesOnAt("host-a", 1);
  }

  @ParameterizedTest
  @ValueSource(strings = {"source.setup.done", "source.pre-copy.round-done", "source.stop-and-copy.state-sent",
      "source.storage-handoff.before-commit"})
  void aSourceThatIsKilledBeforeCommitLeavesNoCopyBehindAndItsVmCanBeStartedAgain(String point) throws Exception {
    HeldMigration held = held("host-a", point);
    held.kill("host-a");

    Migration ended = held.end();
    assertThat(ended.getState()).isEqualTo(Migration.State.FAILED);
    assertThat(ended.getFailure().getCode()).isEqualTo("SOURCE_LOST");
    cluster.awaitFreeMemory("host-b", HOST_MEMORY);
    cluster.restart("host-a");
    cluster.awaitVm("vm", Vm.State.FAILED, "host-a");
    cluster.api().startVm(StartVmRequest.newBuilder().setName("vm").build());
    assertGoesOnAt("host-a", 2);
  }

  @ParameterizedTest
  @ValueSource(strings = {"source.storage-handoff.decided", "source.activation.go-sent"})
  void aSourceThatIsKilledRightAfterCommitLeavesTheVmRunningAtTheDestination(String point) throws Exception {
    HeldMigration held = held("host-a", point);
    held.kill("host-a");

    assertThat(held.end().getState()).isEqualTo(Migration.State.COMPLETED);
    assertGoesOnAt("host-b", 2);
    cluster.restart("host-a");
    cluster.awaitFreeMemory("host-a", HOST_MEMORY);
    assertThat(cluster.migrateAndWait("vm", "host-a").getState()).isEqualTo(Migration.State.COMPLETED);
    assertGoesOnAt("host-a", 3);
  }

  @Test
  void aDestinationThatIsKilledAfterCommitFailsTheMigrationAndItsVmCanBeStartedThere() throws Exception {
    HeldMigration held = held("host-b", "destination.activation.before-resume");
    held.kill("host-b");

    // As long as the host is silent it might come back with the VM: only its next incarnation says that the VM is down.
    assertThat(cluster.awaitFailure(held.id()).getState()).isEqualTo(Migration.State.IN_DOUBT);
    cluster.restart("host-b");
    Migration ended = held.end();
    assertThat(ended.getState()).isEqualTo(Migration.State.FAILED);
    assertThat(ended.getFailure().getCode()).isEqualTo("LOST_AFTER_COMMIT");
    cluster.awaitVm("vm", Vm.State.FAILED, "host-b");
    cluster.api().startVm(StartVmRequest.newBuilder().setName("vm").build());
    assertGoesOnAt("host-b", 3);
    // The copy that the source kept while nobody knew is of no use any more.
    cluster.awaitFreeMemory("host-a", HOST_MEMORY);
  }

  @Test
  void aVmThatIsDeletedAfterItsDestinationDiedLeavesNoCopyAtTheSource() throws Exception {
    HeldMigration held = held("host-b", "destination.activation.before-resume");
    held.kill("host-b");
    cluster.restart("host-b");
    assertThat(held.end().getFailure().getCode()).isEqualTo("LOST_AFTER_COMMIT");

    cluster.api().deleteVm(DeleteVmRequest.newBuilder().setName("vm").setForce(true).build());
    cluster.awaitFreeMemory("host-a", HOST_MEMORY);
  }

  @Test
  void aDestinationThatOnlyFreezesAfterCommitRunsTheVmOnceItWakes() throws Exception {
    HeldMigration held = held("host-b", "destination.activation.before-resume");
    held.freeze("host-b");
    assertThat(cluster.awaitFailure(held.id()).getState()).isEqualTo(Migration.State.IN_DOUBT);

    cluster.agent("host-b").thaw();
    Migration ended = held.end();
    assertThat(ended.getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(ended.hasFailure()).isFalse();
    assertGoesOnAt("host-b", 2);
    cluster.awaitFreeMemory("host-a", HOST_MEMORY);
  }

  @Test
  void aSecondAgentUnderTheNameOfALivingHostIsNotTakenInAndHarmsNobody() throws Exception {
    ServerProcess impostor = cluster.startImpostor("host-a", "128MiB");
    try {
      assertThat(impostor.logOfThisStart()).contains("--host-id");
      assertGoesOnAt("host-a", 1);
      assertThat(cluster.migrateAndWait("vm", "host-b").getState()).isEqualTo(Migration.State.COMPLETED);
    } finally {
      impostor.close();
    }
  }

  @Test
  void aRestartedAgentIsTakenInAtOnceAndASecondOneOnItsMachineDoesNotStart() throws Exception {
    cluster.agent("host-a").kill();
    // It proves that the one before has ended: the coordinator never tells it to wait.
    cluster.restart("host-a");
    assertThat(cluster.logged("host-a", "does not take this host in")).isFalse();
    cluster.awaitVm("vm", Vm.State.FAILED, "host-a");
    assertThat(cluster.vm("vm").getReason()).contains("the agent of host host-a ended");

    assertThatThrownBy(() -> cluster.startTwin("host-a", "128MiB"))
        .hasStackTraceContaining("another agent of host-a runs here");
  }

  @Test
  void aSourceThatFreezesAfterCommitDestroysItsCopyWhenItWakes() throws Exception {
    HeldMigration held = held("host-a", "source.storage-handoff.decided");
    held.freeze("host-a");

    cluster.awaitVm("vm", Vm.State.RUNNING, "host-b");
    assertThat(held.end().getState()).isEqualTo(Migration.State.COMPLETED);
    cluster.agent("host-a").thaw();
    cluster.awaitFreeMemory("host-a", HOST_MEMORY);
    assertGoesOnAt("host-b", 2);
  }

  @Test
  void aSecondTryToTheSameDestinationIsNotConfusedByAHalfDeadFirst() throws Exception {
    Failpoint failpoint = cluster.hold("host-b", "destination.setup.accepted");
    Migration first = cluster.migrate("vm", "host-b");
    failpoint.awaitReached();
    cluster.api().cancelMigration(CancelMigrationRequest.newBuilder().setId(first.getId()).build());
    assertThat(cluster.awaitEnd(first.getId()).getState()).isEqualTo(Migration.State.CANCELLED);

    // The first one's thread still stands at the failpoint, with its memory; the second passes it by only once released.
    failpoint.release();
    assertThat(cluster.migrateAndWait("vm", "host-b").getState()).isEqualTo(Migration.State.COMPLETED);
    assertGoesOnAt("host-b", 2);
    cluster.awaitFreeMemory("host-b", HOST_MEMORY - (64 << 20));
  }

  @Test
  void aMigrationCanBeCancelledAtAnyPointBeforeItsCommit() throws Exception {
    for (String point : List.of("source.setup.welcomed", "source.pre-copy.round-done", "source.stop-and-copy.paused",
        "source.stop-and-copy.ready")) {
      cancelAt(point);
    }
    assertThat(cluster.migrateAndWait("vm", "host-b").getState()).isEqualTo(Migration.State.COMPLETED);
  }

  private void cancelAt(String point) throws Exception {
    HeldMigration held = held("host-a", point);
    cluster.api().cancelMigration(CancelMigrationRequest.newBuilder().setId(held.id().substring(0, 8)).build());
    held.release();

    Migration ended = held.end();
    assertThat(ended.getState()).isEqualTo(Migration.State.CANCELLED);
    assertThat(ended.getFailure().getCode()).isEqualTo("CANCELLED");
    assertGoesOnAt("host-a", 1);
    cluster.awaitFreeMemory("host-b", HOST_MEMORY);
  }

  /** The VM runs there under the epoch, its steps go on, and every byte is what its program wrote. */
  private void assertGoesOnAt(String host, long epoch) {
    Vm vm = cluster.awaitVm("vm", Vm.State.RUNNING, host);
    assertThat(vm.getEpoch()).isEqualTo(epoch);
    Awaitility.await("steps go on").until(() -> cluster.vm("vm").getSteps() > vm.getSteps());
    assertThat(cluster.verify("vm").getIdentical()).isTrue();
  }
}
