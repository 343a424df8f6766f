package dev.pageferry.coordinator.ownership;

import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.store.CompareAndSet;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.records.v1.Availability;
import dev.pageferry.proto.records.v1.Bond;
import dev.pageferry.proto.records.v1.Restart;
import dev.pageferry.proto.records.v1.SavedNote;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/** What rows say beside whose the VMs are. What a change does not name stays, also what only a later version knows. */
public final class RowNotes {
  private static final int REMEMBERED_STOPS = 10;

  private final RecordStore store;
  private final VmRows rows;
  private final ChangeGate gate;

  RowNotes(RecordStore store, VmRows rows, ChangeGate gate) {
    this.store = store;
    this.rows = rows;
    this.gate = gate;
  }

  /** Notes what its host found out of a VM. */
  public Row describe(VmId id, UnaryOperator<VmSpec> change) throws ConflictException {
    return rewrite(id, record -> record.toBuilder().setSpec(change.apply(record.getSpec())).build());
  }

  /** Notes when a VM was saved, and to which file, so that whoever would throw the file away can be told. */
  public Row rememberSave(VmId id, SavedNote note) throws ConflictException {
    return rewrite(id, record -> record.toBuilder().setSavedNote(note).build());
  }

  /** Notes what an operator wishes for a VM when its host stops. */
  public Row wish(VmId id, UnaryOperator<Availability> change) throws ConflictException {
    return rewrite(id, record -> {
      VmRecord next = record.toBuilder().setAvailability(change.apply(record.getAvailability())).build();
      // What its host says of the wish before is of no use any more, in this very write.
      return next.getAvailability().getHa() == record.getAvailability().getHa() ? next : unbound(next);
    });
  }

  private static VmRecord unbound(VmRecord record) {
    return record.toBuilder().clearBond().setBondToken(record.getBondToken() + 1).build();
  }

  /** Notes that a VM is to run again by itself, or how far that has come. */
  public Row restart(VmId id, Restart restart) throws ConflictException {
    return rewrite(id, record -> record.toBuilder().setRestart(restart).build());
  }

  /**
   * As the other, only if nothing of the row has changed since it was read: no operator has stopped the VM, or wished otherwise.
   *
   * @throws ConflictException if it has
   */
  public Row restart(Row asRead, Restart restart) throws ConflictException {
    return replace(asRead, asRead.record().toBuilder().setRestart(restart).build());
  }

  /** As the other, for the first time: also when that was, among the last {@value #REMEMBERED_STOPS} times. */
  public Row due(Row asRead, Restart restart) throws ConflictException {
    VmRecord.Builder next = asRead.record().toBuilder().setRestart(restart)
        .addRestartsAtMillis(restart.getSinceMillis());
    List<Long> all = next.getRestartsAtMillisList();
    List<Long> last = List.copyOf(all.subList(Math.max(0, all.size() - REMEMBERED_STOPS), all.size()));
    return replace(asRead, next.clearRestartsAtMillis().addAllRestartsAtMillis(last).build());
  }

  /**
   * Notes that a VM works only as long as its owner's lease lasts, or does so no more.
   *
   * @throws ConflictException if the row has changed since it was read
   */
  public Row bond(Row asRead, Optional<Bond> bond) throws ConflictException {
    VmRecord.Builder next = asRead.record().toBuilder().clearBond();
    bond.ifPresent(next::setBond);
    return replace(asRead, next.build());
  }

  /** As {@link #bond} with none, whatever has changed since the row was read; what a host says that has not heard of this is of no use. */
  public Row unbind(VmId id) throws ConflictException {
    return rewrite(id, RowNotes::unbound);
  }

  private Row replace(Row asRead, VmRecord next) throws ConflictException {
    gate.check();
    if (!store.commit(gate.guarded(VmRows.replacing(asRead, next)))) {
      throw new ConflictException("VM %s changed meanwhile".formatted(next.getSpec().getName()));
    }
    return rows.existing(asRead.id());
  }

  /** Nothing is due any more. */
  public Row forgetRestart(VmId id) throws ConflictException {
    return rewrite(id, record -> record.toBuilder().clearRestart().build());
  }

  private Row rewrite(VmId id, UnaryOperator<VmRecord> change) throws ConflictException {
    return CompareAndSet.untilItHolds("row of VM " + id, () -> {
      gate.check();
      Row row = rows.existing(id);
      boolean isDone = store.commit(gate.guarded(VmRows.replacing(row, change.apply(row.record()))));
      return isDone ? Optional.of(rows.existing(id)) : Optional.empty();
    });
  }
}
