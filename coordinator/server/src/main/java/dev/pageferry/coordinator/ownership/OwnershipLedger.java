package dev.pageferry.coordinator.ownership;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.StateFiles;
import dev.pageferry.coordinator.ownership.OwnershipEvent.BeginMove;
import dev.pageferry.coordinator.ownership.OwnershipEvent.Commit;
import dev.pageferry.coordinator.ownership.OwnershipEvent.GiveBack;
import dev.pageferry.coordinator.ownership.OwnershipEvent.NoteSaved;
import dev.pageferry.coordinator.ownership.OwnershipEvent.OfOperation;
import dev.pageferry.coordinator.ownership.OwnershipEvent.Resolve;
import dev.pageferry.coordinator.ownership.Transition.Answered;
import dev.pageferry.coordinator.ownership.Transition.Applied;
import dev.pageferry.coordinator.ownership.Transition.Fate;
import dev.pageferry.coordinator.ownership.Transition.Refused;
import dev.pageferry.coordinator.ownership.VmOwnership.Deleted;
import dev.pageferry.coordinator.store.CompareAndSet;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who may run each VM. Every change is a compare-and-set on the VM's one row; a migration's own record changes in the same
 * transaction, so that its decision is remembered when the row has moved on. What follows from what, {@link Transitions}
 * says.
 */
public final class OwnershipLedger {
  private static final Logger log = LoggerFactory.getLogger(OwnershipLedger.class);
  private static final LiveHosts ANYBODY = (host, incarnation) -> true;

  private final RecordStore store;
  private final VmRows rows;
  private final MigrationRecords migrations;
  private final ChangeGate gate;
  private final RowNotes notes;
  private final boolean logsDecisions;

  /** A VM's row with the revision it was read at. */
  public record Row(VmRecord record, Versioned versioned) {
    public VmId id() {
      return new VmId(record.getSpec().getId());
    }
  }

  /** What the row says of a migration. */
  public enum Outcome {
    COMMITTED,
    ABORTED,
    /** Committed, then given back by the destination: the VM is the source's again. */
    TAKEN_BACK,
    /** Not decided. */
    PENDING,
    /** There was such a VM. */
    DELETED,
    /** There never was such a VM or such a migration of it, as far as these records go. */
    UNKNOWN
  }

  /** @param epoch the VM's epoch as of this answer, 0 if there is no such VM */
  public record Decision(Outcome outcome, String ownerHost, long epoch) {
    static final Decision UNKNOWN = new Decision(Outcome.UNKNOWN, "", 0);
    static final Decision OF_DELETED = new Decision(Outcome.DELETED, "", 0);
  }

  /** A change that cannot be made to the row as it is. */
  public static final class ConflictException extends Exception {
    private static final long serialVersionUID = 1L;

    ConflictException(String message) {
      super(message);
    }
  }

  public OwnershipLedger(RecordStore store, ChangeGate gate) {
    this(store, gate, true);
  }

  /** @param logsDecisions whether commits and aborts are worth a line in the log */
  public OwnershipLedger(RecordStore store, ChangeGate gate, boolean logsDecisions) {
    this.store = store;
    this.rows = new VmRows(store);
    this.migrations = new MigrationRecords(store);
    this.gate = gate;
    this.notes = new RowNotes(store, rows, gate);
    this.logsDecisions = logsDecisions;
  }

  /** Adds a VM with a new name; false if the name is taken. */
  public boolean add(VmRecord record) {
    gate.check();
    return rows.insert(record);
  }

  public Optional<Row> find(VmId id) {
    return rows.find(id);
  }

  public Optional<Row> findByName(String name) {
    return rows.findByName(name);
  }

  public List<Row> list() {
    return rows.list();
  }

  /** @throws RowsFrozenException if rows may not change now: then nothing is to be done on hosts that a row has to follow */
  public void requireChangeable() {
    gate.check();
  }

  /** Whether there was a VM of this id. */
  public boolean wasDeleted(VmId id) {
    return rows.wasDeleted(id);
  }

  /** What rows say beside whose the VMs are. */
  public RowNotes notes() {
    return notes;
  }

  /**
   * Puts a row right while rows are frozen: for an operator's repair of records that went back in time.
   *
   * @throws ConflictException if the row is in no state for this
   */
  public void overrule(VmId id, OwnershipEvent event) throws ConflictException {
    requireThere(id, transition(id, event, ANYBODY, Optional.empty(), ChangeGate.OPEN));
  }

  /** As {@link #add}, while rows are frozen, for a VM that runs and whose row was lost. */
  public boolean adopt(VmRecord record) {
    return rows.insert(record);
  }

  /** Makes a change that needs no operation. */
  public Row change(VmId id, OwnershipEvent event) throws ConflictException {
    return change(id, event, ANYBODY);
  }

  /** As {@link #change(VmId, OwnershipEvent)}; where it depends on whether hosts live, that is asked as the row changes. */
  public Row change(VmId id, OwnershipEvent event, LiveHosts liveHosts) throws ConflictException {
    requireThere(id, transition(id, event, liveHosts, Optional.empty()));
    return rows.existing(id);
  }

  private static void requireThere(VmId id, Optional<Decision> answer) throws ConflictException {
    if (answer.isEmpty()) {
      throw new ConflictException("VM %s does not exist any more".formatted(id));
    }
  }

  /** Removes a VM that nothing is pending of. Its id is never used again. */
  public void remove(VmId id) throws ConflictException {
    requireThere(id, transition(id, new OwnershipEvent.Delete(), ANYBODY, Optional.empty()));
  }

  /**
   * Makes a migration the VM's pending one. The row must be as it was read.
   *
   * @param record with the storage that the VM's disks go to, if they do not stay where they are
   */
  public void begin(Row row, MigrationId migration, MigrationRecord record, HostId destination)
      throws ConflictException {
    begin(row, new BeginMove(migration, destination, new Incarnation(record.getDestinationIncarnation()),
        record.getDestinationStorage()), MigrationRecords.MIGRATIONS, record);
  }

  /** Makes a save or a restore what is pending of the VM. It has no document of its own. */
  public void begin(Row row, OwnershipEvent.Begin event) throws ConflictException {
    MigrationRecord.Builder record = MigrationRecord.newBuilder().setVmId(row.id().value())
        .setSourceIncarnation(row.record().getOwnerIncarnation());
    if (event instanceof OwnershipEvent.BeginRestore restore) {
      record.setDestinationIncarnation(restore.destinationIncarnation().value());
    }
    begin(row, event, MigrationRecords.DECISIONS, record.build());
  }

  private void begin(Row row, OwnershipEvent.Begin event, String records, MigrationRecord record)
      throws ConflictException {
    MigrationRecord named = OperationParties.named(event, record.toBuilder()
        .setSourceHost(row.record().getOwnerHost()).setSourceStorage(row.record().getStorageId()));
    Optional<Decision> _ = transition(row.id(), event, ANYBODY,
        Optional.of(new Beginning(row, records + event.operation(), named)));
  }

  /**
   * Moves the VM to the migration's destination under the next epoch, unless the migration was aborted or its destination
   * has restarted or fallen silent since: that one could not let the guest run. Asked again it answers the same.
   */
  public Decision commit(VmId vm, MigrationId migration, LiveHosts liveHosts) {
    return ask(vm, new Commit(migration), liveHosts);
  }

  /**
   * Aborts the migration unless it was committed. Asked again it answers the same. Where the VM's state was saved meanwhile
   * and its owner is lost, the VM is saved from then on, under a later epoch, so that the owner finds its copy void if it
   * was only cut off.
   */
  public Decision resolve(VmId vm, MigrationId migration, LiveHosts liveHosts) {
    return ask(vm, new Resolve(migration, false), liveHosts);
  }

  /** As {@link #resolve(VmId, MigrationId, LiveHosts)}, by the word of the VM's owner, or of whoever heard it end. */
  public Decision resolve(VmId vm, MigrationId migration) {
    return resolve(vm, migration, ANYBODY);
  }

  /**
   * As {@link #resolve(VmId, MigrationId, LiveHosts)}, for the destination. While the state is noted and the owner may live,
   * nothing is decided: a plain abort now would give up the state of an owner that has just died.
   */
  public Decision resolveForDestination(VmId vm, MigrationId migration, LiveHosts liveHosts) {
    return ask(vm, new Resolve(migration, true), liveHosts);
  }

  /**
   * Notes that the state of a migration's VM is whole in the file that belongs to it.
   *
   * @return PENDING, unless it was decided before
   */
  public Decision noteSaved(VmId vm, MigrationId migration) {
    return ask(vm, new NoteSaved(migration, StateFiles.name(vm, migration)), ANYBODY);
  }

  /**
   * Moves a VM that was committed to the migration's destination back to its source, under the next epoch, if that
   * incarnation of the source is still alive. For a destination that has not let the VM run. Asked again it answers the
   * same.
   */
  public Decision giveBack(VmId vm, MigrationId migration, LiveHosts liveHosts) {
    return ask(vm, new GiveBack(migration), liveHosts);
  }

  /** The owner asks before it lets the VM do its first step: COMMITTED if it may, ABORTED if the VM is not its own. */
  public Decision started(VmId vm, OwnershipEvent.Started event) {
    return ask(vm, event, ANYBODY);
  }

  /** An agent asks for a VM that it has found running: COMMITTED, under the next epoch, if it has it, ABORTED if not. */
  public Decision takeOver(VmId vm, OwnershipEvent.TakeOver event, LiveHosts liveHosts) {
    return ask(vm, event, liveHosts);
  }

  private Decision ask(VmId vm, OwnershipEvent event, LiveHosts liveHosts) {
    try {
      return transition(vm, event, liveHosts, Optional.empty())
          .orElseGet(() -> wasDeleted(vm) ? Decision.OF_DELETED : Decision.UNKNOWN);
    } catch (ConflictException e) {
      throw new IllegalStateException("a question about VM %s was refused: %s".formatted(vm, e.getMessage()), e);
    }
  }

  /** What an operation is begun with: the row as it was read, and its record. */
  private record Beginning(Row asRead, String key, MigrationRecord record) {
  }

  /** A row, and the record of the operation that is asked about, as they were read together. */
  private record Reading(Row row, Optional<MigrationRecords.Stored> operation) {
  }

  /**
   * The only way that the row of a VM comes into another state.
   *
   * @return the answer; empty if there is no such VM
   * @throws ConflictException if the row is in no state for this
   */
  private Optional<Decision> transition(VmId vm, OwnershipEvent event, LiveHosts liveHosts,
      Optional<Beginning> beginning) throws ConflictException {
    return transition(vm, event, liveHosts, beginning, gate);
  }

  private Optional<Decision> transition(VmId vm, OwnershipEvent event, LiveHosts liveHosts,
      Optional<Beginning> beginning, ChangeGate passed) throws ConflictException {
    return CompareAndSet.untilItHolds("row of VM " + vm, () -> {
      passed.check();
      Optional<Reading> reading = read(vm, event, beginning);
      return reading.isEmpty()
          ? Optional.of(Optional.<Decision>empty())
          : attempt(reading.get(), event, liveHosts, beginning, passed).map(Optional::of);
    });
  }

  /** @return empty if the row or the operation's record changed since it was read */
  private Optional<Decision> attempt(Reading reading, OwnershipEvent event, LiveHosts liveHosts,
      Optional<Beginning> beginning, ChangeGate passed) throws ConflictException {
    VmRecord record = reading.row().record();
    String name = record.getSpec().getName();
    VmOwnership state = OwnershipRecords.state(record);
    Transition transition = Transitions.apply(state, event, liveHosts,
        reading.operation().map(MigrationRecords.Stored::record).map(OwnershipRecords::operation));
    return switch (transition) {
      case Answered answered -> {
        boolean isForgotten = answered.answer().equals(Decision.UNKNOWN) && passed.isRepaired();
        yield Optional.of(isForgotten ? Transitions.neverDecided(state) : answered.answer());
      }
      case Refused refused -> throw new ConflictException("VM %s %s".formatted(name, refused.reason()));
      case Applied applied -> {
        if (store.commit(passed.guarded(written(reading, applied, beginning, event)))) {
          log(reading.row().id(), event, applied);
          yield Optional.of(applied.answer());
        }
        if (beginning.isPresent()) {
          throw new ConflictException("VM %s changed meanwhile; try again".formatted(name));
        }
        yield Optional.empty();
      }
    };
  }

  private Optional<Reading> read(VmId vm, OwnershipEvent event, Optional<Beginning> beginning) {
    if (beginning.isPresent()) {
      return Optional.of(new Reading(beginning.get().asRead(), Optional.empty()));
    }
    // The decision before the row: a row that was read before the decision would answer COMMITTED under the old epoch,
    // and a destination that hears this takes its copy for a stale one.
    Optional<MigrationRecords.Stored> operation = event instanceof OfOperation asked
        ? migrations.find(asked.operation()).map(MigrationRecords.Stored::of)
            .filter(it -> it.record().getVmId().equals(vm.value()))
        : Optional.empty();
    return find(vm).map(row -> new Reading(row, operation));
  }

  private static Transaction written(Reading reading, Applied applied, Optional<Beginning> beginning,
      OwnershipEvent event) {
    Transaction transaction = written(reading.row(), applied, event);
    if (applied.fate() == Fate.UNCHANGED) {
      return transaction;
    }
    if (beginning.isPresent()) {
      return transaction.ifAbsent(beginning.get().key()).put(beginning.get().key(),
          OwnershipRecords.withFate(beginning.get().record(), applied.fate(), applied.next()).toByteArray());
    }
    if (event instanceof OwnershipEvent.ClaimInDoubt claim && reading.operation().isEmpty()) {
      String key = MigrationRecords.DECISIONS + claim.operation();
      MigrationRecord lost = OperationParties.claimed(claim, reading.row().id());
      return transaction.ifAbsent(key).put(key,
          OwnershipRecords.withFate(lost, applied.fate(), applied.next()).toByteArray());
    }
    MigrationRecords.Stored operation = reading.operation().orElseThrow();
    return transaction.ifUnchanged(operation.versioned()).put(operation.versioned().key(),
        OwnershipRecords.withFate(operation.record(), applied.fate(), applied.next()).toByteArray());
  }

  private static Transaction written(Row row, Applied applied, OwnershipEvent event) {
    return applied.next() instanceof Deleted
        ? VmRows.deleting(row)
        : VmRows.replacing(row, RestartNotes.after(event, row.record(),
            OwnershipRecords.withState(row.record(), applied.next())));
  }

  private void log(VmId vm, OwnershipEvent event, Applied applied) {
    if (logsDecisions && !(event instanceof OwnershipEvent.CountSteps)) {
      log.info("vm={} {} outcome={} owner={} epoch={}", vm, event, applied.answer().outcome(),
          applied.next().tenure().host(), applied.next().tenure().epoch());
    }
  }

  /** Whether an operation of the VM was committed, as far as these records go. */
  public boolean isCommitted(VmId vm, MigrationId operation) {
    return migrations.find(operation).map(MigrationRecords::parse).filter(
        it -> it.getVmId().equals(vm.value()) && it.getDecision() == MigrationRecord.Decision.COMMITTED).isPresent();
  }

  public Optional<MigrationRecord> migration(MigrationId migration) {
    return migrations.find(migration).map(MigrationRecords::parse);
  }

  /** All migrations whose documents are remembered, in no particular order. */
  public List<MigrationRecord> migrations() {
    return migrations.list();
  }

  /** Changes what operators see of a migration; its decision is not touched. */
  public void updateMigration(MigrationId migration, UnaryOperator<MigrationRecord> change) {
    migrations.update(migration, change);
  }

  /** Forgets what operators saw of a migration that ended, and keeps its decision. */
  public void forgetDocument(MigrationId migration) {
    migrations.forgetDocument(migration);
  }
}
