package dev.pageferry.coordinator.ownership;

import dev.pageferry.proto.records.v1.PendingMigration;
import dev.pageferry.proto.records.v1.Restart;
import dev.pageferry.proto.records.v1.VmRecord;

/** What a change of a VM's row does to its note that the VM is to run again: in the same write, so that neither is without the other. */
final class RestartNotes {
  private RestartNotes() {
  }

  /** @param next the row after the event, with the note of before */
  static VmRecord after(OwnershipEvent event, VmRecord before, VmRecord next) {
    if (isLeftBehind(before, next)) {
      // Nobody saved it for good.
      return next.toBuilder().setRestart(Restart.newBuilder().setFromHost(before.getOwnerHost())
          .setEvidence("host %s was lost when the VM's state was whole in a file".formatted(before.getOwnerHost())))
          .build();
    }
    return next.hasRestart() && isAnOperators(event, before, next) ? next.toBuilder().clearRestart().build() : next;
  }

  /** A move's source was lost, and the state that it had written is what is left of the VM. */
  private static boolean isLeftBehind(VmRecord before, VmRecord next) {
    return before.getPhase() == VmRecord.Phase.ACTIVE && before.getPending().getKind() == PendingMigration.Kind.MOVE
        && next.getPhase() == VmRecord.Phase.SAVED && before.getEpoch() < next.getEpoch();
  }

  /** Started, stopped or saved by an operator: what is due is due no more. */
  private static boolean isAnOperators(OwnershipEvent event, VmRecord before, VmRecord next) {
    return switch (event) {
      case OwnershipEvent.Boot _,OwnershipEvent.PowerOff() -> true;
      // The commit of a restore that is refused leaves the VM saved, too, and still due.
      case OwnershipEvent.Commit _ -> next.getPhase() == VmRecord.Phase.SAVED
          && before.getPending().getKind() == PendingMigration.Kind.SAVE;
      default -> false;
    };
  }
}
