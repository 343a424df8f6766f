package dev.pageferry.coordinator.ownership;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.OwnershipEvent.BeginMove;
import dev.pageferry.coordinator.ownership.OwnershipEvent.BeginRestore;
import dev.pageferry.coordinator.ownership.OwnershipEvent.BeginSave;
import dev.pageferry.coordinator.ownership.OwnershipEvent.Commit;
import dev.pageferry.coordinator.ownership.OwnershipEvent.GiveBack;
import dev.pageferry.coordinator.ownership.OwnershipEvent.NoteSaved;
import dev.pageferry.coordinator.ownership.OwnershipEvent.OfOperation;
import dev.pageferry.coordinator.ownership.OwnershipEvent.Resolve;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.PendingMigration;

/**
 * The hosts of an operation, and which of them may ask what of it: commit the source of a move or of a save, or the destination of a
 * restore; note that the state is saved the source; give back the destination;
 * resolve both, where the one that is not the destination may not ask as one.
 *
 * @param source empty: none that is known
 * @param destination empty: none, or a record of before destinations were named; it accepts no commit
 */
record OperationParties(PendingMigration.Kind kind, String source, String destination) {
  static OperationParties of(MigrationRecord record) {
    return new OperationParties(record.getKind(), record.getSourceHost(), record.getDestinationHost());
  }

  /** Its destination was not named yet: it can be ended by whoever has a copy of it, and not be committed. */
  private boolean isOfBefore() {
    return kind == PendingMigration.Kind.MOVE && destination.isEmpty();
  }

  /** The record of an operation that begins, with what it is and where it goes. */
  static MigrationRecord named(OwnershipEvent.Begin event, MigrationRecord.Builder record) {
    return (switch (event) {
      case BeginMove move -> record.setKind(PendingMigration.Kind.MOVE)
          .setDestinationHost(move.destination().value());
      case BeginSave _ -> record.setKind(PendingMigration.Kind.SAVE);
      case BeginRestore restore -> record.setKind(PendingMigration.Kind.RESTORE)
          .setDestinationHost(restore.destination().value());
    }).build();
  }

  /** The record of an operation that these records had lost, as if it had been committed to the host that has the copy. */
  static MigrationRecord claimed(OwnershipEvent.ClaimInDoubt claim, VmId vm) {
    return MigrationRecord.newBuilder().setVmId(vm.value()).setDestinationHost(claim.host().value())
        .setDestinationIncarnation(claim.incarnation().value()).build();
  }

  static boolean isDecided(MigrationRecord record) {
    return switch (record.getDecision()) {
      case COMMITTED, ABORTED, TAKEN_BACK -> true;
      case PENDING, DECISION_UNSPECIFIED, UNRECOGNIZED -> false;
    };
  }

  boolean permit(HostId asking, OfOperation event) {
    boolean isSource = asking.value().equals(source);
    boolean isDestination = asking.value().equals(destination);
    return switch (event) {
      case Commit _ -> switch (kind) {
        case MOVE -> isSource && !destination.isEmpty();
        case SAVE -> isSource;
        case RESTORE -> isDestination;
        case UNRECOGNIZED -> false;
      };
      case NoteSaved _ -> isSource;
      case GiveBack _ -> isDestination;
      case Resolve resolve -> resolve.fromDestination()
          ? isDestination || isOfBefore()
          : isSource || isDestination || isOfBefore();
      case OwnershipEvent.Begin _,OwnershipEvent.ClaimInDoubt _ -> false;
    };
  }
}
