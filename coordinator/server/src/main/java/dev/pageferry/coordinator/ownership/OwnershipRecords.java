package dev.pageferry.coordinator.ownership;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.DecidedOperation.Decided;
import dev.pageferry.coordinator.ownership.VmOwnership.Active;
import dev.pageferry.coordinator.ownership.VmOwnership.Creating;
import dev.pageferry.coordinator.ownership.VmOwnership.Deleted;
import dev.pageferry.coordinator.ownership.VmOwnership.Moving;
import dev.pageferry.coordinator.ownership.VmOwnership.Restoring;
import dev.pageferry.coordinator.ownership.VmOwnership.Saved;
import dev.pageferry.coordinator.ownership.VmOwnership.Saving;
import dev.pageferry.coordinator.ownership.VmOwnership.Stopped;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.PendingMigration;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.Optional;

/** The states of a VM's row as messages. Fields that are not of the row's state (specification, unknown ones) are kept. */
final class OwnershipRecords {
  private OwnershipRecords() {
  }

  /** @throws IllegalArgumentException if the row has no state that exists */
  static VmOwnership state(VmRecord record) {
    Tenure tenure = new Tenure(new HostId(record.getOwnerHost()), new Incarnation(record.getOwnerIncarnation()),
        record.getStorageId(), new OwnershipEpoch(record.getEpoch()), record.getStartedEpoch() == record.getEpoch());
    return switch (record.getPhase()) {
      case CREATING -> new Creating(tenure);
      case ACTIVE -> record.hasPending() ? departing(tenure, record.getPending()) : new Active(tenure);
      case STOPPED -> new Stopped(tenure);
      case SAVED -> {
        Saved saved = new Saved(tenure, record.getSavedState(), record.getSavedSteps());
        yield record.hasPending() ? restoring(saved, record.getPending()) : saved;
      }
      case PHASE_UNSPECIFIED, UNRECOGNIZED -> throw new IllegalArgumentException(
          "the row of VM %s has the unknown phase %d".formatted(record.getSpec().getId(), record.getPhaseValue()));
    };
  }

  private static VmOwnership departing(Tenure tenure, PendingMigration pending) {
    MigrationId operation = new MigrationId(pending.getMigrationId());
    return pending.getKind() == PendingMigration.Kind.SAVE
        ? new Saving(tenure, operation, pending.getStorageId(), pending.getSavedState())
        : new Moving(tenure, operation, new HostId(pending.getDestinationHost()),
            new Incarnation(pending.getDestinationIncarnation()), pending.getStorageId(),
            pending.hasSavedState() ? Optional.of(pending.getSavedState()) : Optional.empty());
  }

  private static Restoring restoring(Saved saved, PendingMigration pending) {
    return new Restoring(saved, new MigrationId(pending.getMigrationId()), new HostId(pending.getDestinationHost()),
        new Incarnation(pending.getDestinationIncarnation()));
  }

  /** The row with another state. */
  static VmRecord withState(VmRecord before, VmOwnership state) {
    VmRecord.Builder record = before.toBuilder().clearPending().clearSavedState().clearSavedSteps()
        .setOwnerHost(state.tenure().host().value()).setOwnerIncarnation(state.tenure().incarnation().value())
        .setStorageId(state.tenure().storage()).setEpoch(state.tenure().epoch().value())
        .setStartedEpoch(state.tenure().started() ? state.tenure().epoch().value() : 0);
    return switch (state) {
      case Creating _ -> record.setPhase(VmRecord.Phase.CREATING).build();
      case Active _ -> record.setPhase(VmRecord.Phase.ACTIVE).build();
      case Moving moving -> record.setPhase(VmRecord.Phase.ACTIVE).setPending(pending(moving)).build();
      case Saving saving -> record.setPhase(VmRecord.Phase.ACTIVE)
          .setPending(PendingMigration.newBuilder().setMigrationId(saving.operation().value())
              .setKind(PendingMigration.Kind.SAVE).setSavedState(saving.file()).setStorageId(saving.storageAfter()))
          .build();
      case Saved saved -> saved(record, saved).build();
      case Restoring restoring -> saved(record, restoring.saved())
          .setPending(PendingMigration.newBuilder().setMigrationId(restoring.operation().value())
              .setKind(PendingMigration.Kind.RESTORE).setDestinationHost(restoring.destination().value())
              .setDestinationIncarnation(restoring.destinationIncarnation().value()))
          .build();
      case Stopped _ -> record.setPhase(VmRecord.Phase.STOPPED).build();
      case Deleted _ -> throw new IllegalArgumentException("a deleted VM has no row");
    };
  }

  private static PendingMigration pending(Moving moving) {
    PendingMigration.Builder pending = PendingMigration.newBuilder().setMigrationId(moving.operation().value())
        .setKind(PendingMigration.Kind.MOVE).setDestinationHost(moving.destination().value())
        .setDestinationIncarnation(moving.destinationIncarnation().value()).setStorageId(moving.storageAfter());
    moving.noted().ifPresent(pending::setSavedState);
    return pending.build();
  }

  private static VmRecord.Builder saved(VmRecord.Builder record, Saved saved) {
    return record.setPhase(VmRecord.Phase.SAVED).setSavedState(saved.file()).setSavedSteps(saved.steps());
  }

  static DecidedOperation operation(MigrationRecord record) {
    Decided decided = switch (record.getDecision()) {
      case PENDING -> Decided.PENDING;
      case COMMITTED -> Decided.COMMITTED;
      case ABORTED -> Decided.ABORTED;
      case TAKEN_BACK -> Decided.TAKEN_BACK;
      case DECISION_UNSPECIFIED, UNRECOGNIZED -> throw new IllegalStateException(
          "a migration of VM %s has the unknown decision %d".formatted(record.getVmId(), record.getDecisionValue()));
    };
    return new DecidedOperation(new VmId(record.getVmId()), decided, record.getDecidedEpoch(), source(record),
        record.getDestinationIncarnation().isEmpty());
  }

  /** Records of before migrations could be given back do not name it. */
  private static Optional<DecidedOperation.Source> source(MigrationRecord record) {
    return record.getSourceHost().isEmpty() || record.getSourceIncarnation().isEmpty()
        ? Optional.empty()
        : Optional.of(new DecidedOperation.Source(new HostId(record.getSourceHost()),
            new Incarnation(record.getSourceIncarnation()), record.getSourceStorage()));
  }

  /** The record with the decision that an event brought. */
  static MigrationRecord withFate(MigrationRecord before, Transition.Fate fate, VmOwnership next) {
    MigrationRecord.Builder record = before.toBuilder();
    return switch (fate) {
      case UNCHANGED -> before;
      case BEGUN -> record.setDecision(MigrationRecord.Decision.PENDING).build();
      case COMMITTED -> decided(record, MigrationRecord.Decision.COMMITTED, next);
      case ABORTED -> decided(record, MigrationRecord.Decision.ABORTED, next);
      case TAKEN_BACK -> decided(record, MigrationRecord.Decision.TAKEN_BACK, next);
    };
  }

  private static MigrationRecord decided(MigrationRecord.Builder record, MigrationRecord.Decision decision,
      VmOwnership next) {
    return record.setDecision(decision).setDecidedEpoch(next.tenure().epoch().value()).build();
  }
}
