package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.journal.JournalReader.Journal;
import dev.pageferry.proto.cluster.v1.DeleteDiskRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.Failpoint;
import dev.pageferry.support.HeldMigration;
import dev.pageferry.support.StorageChecks;
import dev.pageferry.support.TestCluster;
import io.grpc.StatusRuntimeException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** VMs with disks, and VMs that are moved through a file, while everything around them dies. */
class StorageFailureTest {
  private static TestCluster cluster;
  private static StorageChecks checks;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.start("storage", "1GiB", "host-a", "host-b");
    checks = new StorageChecks(cluster);
  }

  @AfterAll
  static void stop() throws Exception {
    cluster.close();
  }

  @AfterEach
  void heal() throws Exception {
    cluster.heal();
  }

  /** A quick migration to host-b, with a host held at a point of it. */
  private static HeldMigration held(String host, String point) throws Exception {
    return cluster.holdMigration(host, point, () -> cluster.migrateQuickly("db", "host-b"));
  }

  /** A save under which the coordinator was killed and started again while the host is held at a point of it. */
  private static Failpoint saveWhoseCoordinatorDied(String point) throws Exception {
    Failpoint failpoint = cluster.hold("host-a", point);
    Thread saving = Thread.ofVirtual().start(() -> {
      try {
        cluster.save("db");
      } catch (StatusRuntimeException e) {
        // The coordinator is killed under it.
      }
    });
    failpoint.awaitReached();
    cluster.coordinator().kill();
    saving.join();
    cluster.restartCoordinator();
    return failpoint;
  }

  @ParameterizedTest
  @ValueSource(strings = {"source.storage-handoff.released"})
  void aSourceThatDiesBeforeTheStateIsNotedLeavesADiskWithEveryAcknowledgedRecord(String point) throws Exception {
    long steps = checks.startJournal("db", "host-a");
    HeldMigration held = held("host-a", point);
    held.kill("host-a");
    assertThat(held.end().getFailure().getCode()).isEqualTo("SOURCE_LOST");
    cluster.restart("host-a");
    checks.assertJournalHolds("db", steps);
    cluster.awaitVm("db", Vm.State.FAILED, "host-a");
    cluster.startVm("db", "");
    checks.stepsBeyond("db", 0);
    checks.wholeJournals("db");
    assertThat(cluster.verify("db").getIdentical()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"source.storage-handoff.noted", "source.restore.ready"})
  void aSourceThatDiesOnceTheStateIsNotedLeavesASavedVm(String point) throws Exception {
    long steps = checks.startJournal("db", "host-a");
    HeldMigration held = held("host-a", point);
    held.kill("host-a");
    assertThat(held.end().getFailure().getCode()).isEqualTo("SAVED");
    assertThat(cluster.vm("db").getState()).isEqualTo(Vm.State.SAVED);
    cluster.startVm("db", "host-b");
    assertThat(cluster.vm("db").getSteps()).isGreaterThanOrEqualTo(steps);
    checks.assertGoesOn("db", steps);
  }

  @ParameterizedTest
  @ValueSource(strings = {"destination.restore.before-ready"})
  void aDestinationThatDiesBeforeReadyLeavesTheVmWithItsSource(String point) throws Exception {
    long steps = checks.startJournal("db", "host-a");
    HeldMigration held = held("host-b", point);
    held.kill("host-b");
    assertThat(held.end().getState()).isEqualTo(Migration.State.FAILED);
    Vm vm = cluster.awaitVm("db", Vm.State.RUNNING, "host-a");
    assertThat(vm.getEpoch()).isEqualTo(1);
    long goesOn = checks.stepsBeyond("db", steps);
    cluster.restart("host-b");
    assertThat(cluster.awaitEnd(cluster.migrateQuickly("db", "host-b").getId()).getState())
        .isEqualTo(Migration.State.COMPLETED);
    checks.assertGoesOn("db", goesOn);
  }

  @Test
  void aCoordinatorThatDiesInTheMiddleOfAQuickMigrationChangesNothing() throws Exception {
    long steps = checks.startJournal("db", "host-a");
    HeldMigration held = held("host-a", "source.restore.ready");
    held.killCoordinator();
    cluster.restartCoordinator();
    assertThat(held.end().getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(cluster.vm("db").getHost()).isEqualTo("host-b");
    checks.assertGoesOn("db", steps);
  }

  @ParameterizedTest
  @ValueSource(strings = {"save.before-commit"})
  void aCoordinatorThatDiesDuringASaveLeavesTheVmRunningOrSaved(String point) throws Exception {
    long steps = checks.startJournal("db", "host-a");
    Failpoint failpoint = saveWhoseCoordinatorDied(point);
    failpoint.release();
    cluster.awaitVm("db", Vm.State.RUNNING, "host-a");
    checks.stepsBeyond("db", steps);
    assertThat(cluster.verify("db").getIdentical()).isTrue();
    assertThat(cluster.save("db").getState()).isEqualTo(Vm.State.SAVED);
    cluster.startVm("db", "host-b");
    checks.assertJournalHolds("db", checks.stepsBeyond("db", steps));
  }

  @Test
  void aSaveThatStillGoesOnExcludesTheNextOne() throws Exception {
    long steps = checks.startJournal("db", "host-a");
    Failpoint failpoint = saveWhoseCoordinatorDied("save.paused");
    // The row is free again; the host still works on the operation that was aborted.
    assertThatThrownBy(() -> cluster.save("db")).isInstanceOf(StatusRuntimeException.class)
        .hasMessageContaining("is being saved");
    assertThat(cluster.awaitEnd(cluster.migrate("db", "host-b").getId()).getFailure().getMessage())
        .contains("is being saved");
    failpoint.release();
    cluster.awaitVm("db", Vm.State.RUNNING, "host-a");
    checks.assertGoesOn("db", steps);
  }

  @Test
  void aStateThatFindsNoRoomLeavesTheVmRunningAndNothingBehind() throws Exception {
    cluster.agent("host-a").kill();
    cluster.agent("host-a").limitFiles(32 << 10);
    cluster.restart("host-a");
    cluster.createWithDisk("db", "host-a", 64, "journal", Map.of("rate", "4MB/s", "fill", "random"), 16);
    long steps = checks.stepsBeyond("db", 0);
    assertThatThrownBy(() -> cluster.save("db")).isInstanceOf(StatusRuntimeException.class)
        .hasMessageContaining("was not saved");
    Migration quick = cluster.awaitEnd(cluster.migrateQuickly("db", "host-b").getId());
    assertThat(quick.getFailure().getCode()).isEqualTo("STATE_UNAVAILABLE");
    assertThat(checks.savedStates()).isEmpty();
    cluster.awaitVm("db", Vm.State.RUNNING, "host-a");
    assertThat(cluster.awaitEnd(cluster.migrate("db", "host-b").getId()).getState())
        .isEqualTo(Migration.State.COMPLETED);
    checks.assertGoesOn("db", steps);
    cluster.agent("host-a").kill();
    cluster.agent("host-a").limitFiles(0);
  }

  @Test
  void aDestinationThatCannotOpenTheDisksGivesTheVmBack() throws Exception {
    long steps = checks.startJournal("db", "host-a");
    HeldMigration held = cluster.holdMigration("host-b", "destination.activation.before-resume",
        () -> cluster.migrate("db", "host-b"));
    Path lease = cluster.storage().resolve("leases/disk-db-disk.lease");
    byte[] released = Files.readAllBytes(lease);
    Files.writeString(lease, "scribble");
    held.release();
    Migration ended = held.end();
    assertThat(ended.getState()).isEqualTo(Migration.State.FAILED);
    assertThat(ended.getFailure().getCode()).isEqualTo("DISKS_UNAVAILABLE");
    Vm vm = cluster.vm("db");
    assertThat(List.of(vm.getHost(), vm.getEpoch())).isEqualTo(List.of("host-a", 3L));
    // The source cannot open them either: the VM stays paused there until somebody repairs the lease.
    Files.write(lease, released);
    checks.stepsBeyond("db", cluster.vm("db").getSteps());
    assertThat(cluster.awaitEnd(cluster.migrate("db", "host-b").getId()).getState())
        .isEqualTo(Migration.State.COMPLETED);
    checks.assertGoesOn("db", steps);
  }

  @Test
  void theDisksOfAHostThatIsFrozenAreNobodyElses() throws Exception {
    long steps = checks.startJournal("db", "host-a");
    List<Long> lengths = new ArrayList<>();
    cluster.agent("host-a").freeze();
    cluster.awaitVm("db", Vm.State.UNKNOWN, "host-a");
    lengths.add(cluster.journals("db").getFirst().last());
    assertThatThrownBy(() -> cluster.startVm("db", "host-b")).isInstanceOf(StatusRuntimeException.class)
        .hasMessageContaining("may still run on host host-a");
    assertThatThrownBy(() -> cluster.api().deleteDisk(DeleteDiskRequest.newBuilder().setName("db-disk").build()))
        .isInstanceOf(StatusRuntimeException.class);
    cluster.agent("host-a").thaw();
    cluster.awaitVm("db", Vm.State.RUNNING, "host-a");
    checks.assertJournalHolds("db", checks.stepsBeyond("db", steps));
  }

  @Test
  void aRestartedHostBootsItsVmBehindWhatItsFormerIncarnationWrote() throws Exception {
    long steps = checks.startJournal("db", "host-a");
    cluster.agent("host-a").kill();
    checks.assertJournalHolds("db", steps);
    long records = cluster.journals("db").stream().mapToLong(Journal::last).sum();
    cluster.restart("host-a");
    cluster.awaitVm("db", Vm.State.FAILED, "host-a");
    cluster.startVm("db", "");
    checks.stepsBeyond("db", 0);
    checks.wholeJournals("db");
    assertThat(cluster.journals("db").stream().mapToLong(Journal::last).sum()).isGreaterThan(records + 100);
    assertThat(cluster.journals("db")).allSatisfy(each -> assertThat(each.lastEpoch()).isEqualTo(2));
  }
}
