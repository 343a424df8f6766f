package dev.pageferry.coordinator.ownership;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.proto.records.v1.PendingMigration;
import dev.pageferry.proto.records.v1.PendingMigration.Kind;
import dev.pageferry.proto.records.v1.Restart;
import dev.pageferry.proto.records.v1.VmRecord;
import dev.pageferry.proto.records.v1.VmRecord.Phase;
import org.junit.jupiter.api.Test;

/** When a VM that is to run again is due no more. */
class RestartNotesTest {
  private static final OwnershipEvent COMMIT = new OwnershipEvent.Commit(new MigrationId("op"));

  private static VmRecord due(Phase phase, Kind pending) {
    return VmRecord.newBuilder().setPhase(phase).setEpoch(3).setRestart(Restart.newBuilder().setFromHost("a"))
        .setPending(PendingMigration.newBuilder().setMigrationId("op").setKind(pending)).build();
  }

  private static VmRecord saved(VmRecord before) {
    return before.toBuilder().setPhase(Phase.SAVED).clearPending().build();
  }

  @Test
  void aRestoreWhoseCommitIsRefusedLeavesTheVmDue() {
    VmRecord restoring = due(Phase.SAVED, Kind.RESTORE);
    assertThat(RestartNotes.after(COMMIT, restoring, saved(restoring)).hasRestart()).isTrue();
  }

  @Test
  void aVmThatAnOperatorSavedIsDueNoMore() {
    VmRecord saving = due(Phase.ACTIVE, Kind.SAVE);
    assertThat(RestartNotes.after(COMMIT, saving, saved(saving)).hasRestart()).isFalse();
  }
}
