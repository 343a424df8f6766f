package dev.pageferry.coordinator.ownership;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.PendingMigration;
import dev.pageferry.proto.records.v1.VmRecord;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who may run each VM. Begin, commit, abort and every other change of a VM are compare-and-sets on its one row; the
 * migration's own record changes in the same transaction, so that its decision is remembered when the row has moved on.
 * Commit needs the row's pending migration to be this one, abort clears it: they cannot both win.
 */
public final class OwnershipLedger {
  private static final Logger log = LoggerFactory.getLogger(OwnershipLedger.class);
  private static final String VMS = "vms/";
  private static final String NAMES = "vm-names/";
  /** Kept for good, some 60 bytes each: a copy may turn up whenever its host is switched on again. */
  private static final String DELETED = "deleted-vms/";
  /** Every lost race means that another change won: this many in a row do not happen. */
  private static final int MAX_RACES = 100;

  private final RecordStore store;
  private final MigrationRecords migrations;
  private final boolean logsDecisions;

  /** Knows which hosts may be given a VM: those that live, in the incarnation that the migration was begun with. */
  public interface LiveHosts {
    boolean isAlive(HostId host, Incarnation incarnation);
  }

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
    /** Not decided; only in answer to {@link OwnershipLedger#noteSaved}. */
    PENDING,
    UNKNOWN
  }

  /** @param epoch the VM's epoch as of this answer, 0 if there is no such VM */
  public record Decision(Outcome outcome, String ownerHost, long epoch) {
    private static final Decision UNKNOWN = new Decision(Outcome.UNKNOWN, "", 0);
  }

  /** A change that cannot be made to the row as it is. */
  public static final class ConflictException extends Exception {
    private static final long serialVersionUID = 1L;

    ConflictException(String message) {
      super(message);
    }
  }

  public OwnershipLedger(RecordStore store) {
    this(store, true);
  }

  /** @param logsDecisions whether commits and aborts are worth a line in the log */
  public OwnershipLedger(RecordStore store, boolean logsDecisions) {
    this.store = store;
    this.migrations = new MigrationRecords(store);
    this.logsDecisions = logsDecisions;
  }

  /** Adds a VM with a new name; false if the name is taken. */
  public boolean add(VmRecord record) {
    String id = record.getSpec().getId();
    String name = record.getSpec().getName();
    return store.commit(new Transaction().ifAbsent(NAMES + name).ifAbsent(VMS + id)
        .put(NAMES + name, id.getBytes(StandardCharsets.UTF_8))
        .put(VMS + id, record.toByteArray()));
  }

  public Optional<Row> find(VmId id) {
    return store.get(VMS + id).map(OwnershipLedger::row);
  }

  public Optional<Row> findByName(String name) {
    return store.get(NAMES + name).flatMap(entry -> find(new VmId(new String(entry.value(), StandardCharsets.UTF_8))));
  }

  public List<Row> list() {
    return store.list(VMS).stream().map(OwnershipLedger::row).toList();
  }

  /** Changes a row that has no migration pending. */
  public Row update(VmId id, UnaryOperator<VmRecord> change) throws ConflictException {
    for (int i = 0; i < MAX_RACES; i++) {
      Row row = idle(id);
      if (store.commit(
          new Transaction().ifUnchanged(row.versioned()).put(VMS + id, change.apply(row.record()).toByteArray()))) {
        return find(id).orElseThrow(() -> new ConflictException("VM %s was deleted meanwhile".formatted(id)));
      }
    }
    throw new IllegalStateException("row of VM %s changed %d times in a row".formatted(id, MAX_RACES));
  }

  /** Removes a VM that has no migration pending. Its id is never used again. */
  public void remove(VmId id) throws ConflictException {
    for (int i = 0; i < MAX_RACES; i++) {
      Row row = idle(id);
      if (store.commit(new Transaction().ifUnchanged(row.versioned()).delete(VMS + id)
          .delete(NAMES + row.record().getSpec().getName())
          .put(DELETED + id, row.record().getSpec().getName().getBytes(StandardCharsets.UTF_8)))) {
        return;
      }
    }
    throw new IllegalStateException("row of VM %s changed %d times in a row".formatted(id, MAX_RACES));
  }

  /** Whether there was a VM of this id. */
  public boolean wasDeleted(VmId id) {
    return store.get(DELETED + id).isPresent();
  }

  private Row idle(VmId id) throws ConflictException {
    Row row = find(id).orElseThrow(() -> new ConflictException("VM %s does not exist any more".formatted(id)));
    if (row.record().hasPending()) {
      throw new ConflictException(
          "VM %s is being migrated (%s); wait for it or cancel it".formatted(row.record().getSpec().getName(),
              row.record().getPending().getMigrationId()));
    }
    return row;
  }

  /**
   * Makes a migration the VM's pending one. The row must be as it was read.
   *
   * @param record with the storage that the VM's disks go to, if they do not stay where they are
   */
  public void begin(Row row, MigrationId migration, MigrationRecord record, HostId destination)
      throws ConflictException {
    begin(row, PendingMigration.newBuilder().setMigrationId(migration.value()).setKind(PendingMigration.Kind.MOVE)
        .setDestinationHost(destination.value()).setDestinationIncarnation(record.getDestinationIncarnation())
        .setStorageId(record.getDestinationStorage()).build(), MigrationRecords.MIGRATIONS, record);
  }

  /**
   * Makes a save or a restore what is pending of the VM. It has no document of its own.
   *
   * @param pending for a restore with the host, and its life, that is to have the VM
   */
  public void begin(Row row, PendingMigration pending) throws ConflictException {
    begin(row, pending, MigrationRecords.DECISIONS, MigrationRecord.newBuilder().setVmId(row.id().value())
        .setSourceIncarnation(row.record().getOwnerIncarnation())
        .setDestinationIncarnation(pending.getDestinationIncarnation()).build());
  }

  private void begin(Row row, PendingMigration pending, String records, MigrationRecord record)
      throws ConflictException {
    if (row.record().hasPending()) {
      throw new ConflictException("VM %s is being migrated already (%s)".formatted(row.record().getSpec().getName(),
          row.record().getPending().getMigrationId()));
    }
    String key = records + pending.getMigrationId();
    boolean won = store.commit(new Transaction().ifUnchanged(row.versioned()).ifAbsent(key)
        .put(VMS + row.id(), row.record().toBuilder().setPending(pending).build().toByteArray())
        .put(key, record.toBuilder().setDecision(MigrationRecord.Decision.PENDING)
            .setSourceHost(row.record().getOwnerHost()).setSourceStorage(row.record().getStorageId()).build()
            .toByteArray()));
    if (!won) {
      throw new ConflictException("VM %s changed meanwhile; try again".formatted(row.record().getSpec().getName()));
    }
  }

  /**
   * Moves the VM to the migration's destination under the next epoch, unless the migration was aborted or its destination
   * has restarted or fallen silent since: that one could not let the guest run. Asked again it answers the same.
   */
  public Decision commit(VmId vm, MigrationId migration, LiveHosts liveHosts) {
    return decide(vm, migration, pending -> switch (pending.getKind()) {
      case SAVE -> true;
      case MOVE, RESTORE -> liveHosts.isAlive(new HostId(pending.getDestinationHost()),
          new Incarnation(pending.getDestinationIncarnation()));
      case UNRECOGNIZED -> false;
    }, (host, incarnation) -> true);
  }

  /**
   * Aborts the migration unless it was committed. Asked again it answers the same. Where the VM's state was saved meanwhile
   * and its owner is lost, the VM is saved from then on, under a later epoch, so that the owner finds its copy void if it
   * was only cut off.
   */
  public Decision resolve(VmId vm, MigrationId migration, LiveHosts liveHosts) {
    return decide(vm, migration, pending -> false, liveHosts);
  }

  /** As {@link #resolve(VmId, MigrationId, LiveHosts)}, by the word of the VM's owner, or of whoever heard it end. */
  public Decision resolve(VmId vm, MigrationId migration) {
    return resolve(vm, migration, (host, incarnation) -> true);
  }

  /**
   * As {@link #resolve(VmId, MigrationId, LiveHosts)}, for the destination. While the state is noted and the owner may live,
   * nothing is decided: a plain abort now would give up the state of an owner that has just died.
   */
  public Decision resolveForDestination(VmId vm, MigrationId migration, LiveHosts liveHosts) {
    Optional<Row> row = find(vm);
    if (row.isPresent() && row.get().record().getPending().getMigrationId().equals(migration.value())
        && row.get().record().getPending().hasSavedState() && isOwnerAlive(row.get().record(), liveHosts)) {
      return new Decision(Outcome.PENDING, row.get().record().getOwnerHost(), row.get().record().getEpoch());
    }
    return resolve(vm, migration, liveHosts);
  }

  private static boolean isOwnerAlive(VmRecord row, LiveHosts liveHosts) {
    return liveHosts.isAlive(new HostId(row.getOwnerHost()), new Incarnation(row.getOwnerIncarnation()));
  }

  /**
   * Notes that the state of a migration's VM is whole in the file that belongs to it.
   *
   * @return PENDING, unless it was decided before
   */
  public Decision noteSaved(VmId vm, MigrationId migration, String file) {
    for (int i = 0; i < MAX_RACES; i++) {
      Optional<Versioned> stored = migrations.find(migration);
      Optional<Row> row = find(vm);
      if (row.isEmpty() || stored.isEmpty() || !MigrationRecords.parse(stored.get()).getVmId().equals(vm.value())) {
        return Decision.UNKNOWN;
      }
      VmRecord before = row.get().record();
      if (MigrationRecords.parse(stored.get()).getDecision() != MigrationRecord.Decision.PENDING) {
        return decided(MigrationRecords.parse(stored.get()), before);
      }
      if (!before.hasPending() || !before.getPending().getMigrationId().equals(migration.value())) {
        return resolve(vm, migration);
      }
      VmRecord noted = before.toBuilder().setPending(before.getPending().toBuilder().setSavedState(file)).build();
      if (store.commit(new Transaction().ifUnchanged(row.get().versioned()).put(VMS + vm, noted.toByteArray()))) {
        return new Decision(Outcome.PENDING, before.getOwnerHost(), before.getEpoch());
      }
    }
    throw new IllegalStateException("row of VM %s changed %d times in a row".formatted(vm, MAX_RACES));
  }

  /**
   * Moves a VM that was committed to the migration's destination back to its source, under the next epoch, if that life of
   * the source is still alive. For a destination that has not let the VM run. Asked again it answers the same.
   */
  public Decision giveBack(VmId vm, MigrationId migration, LiveHosts liveHosts) {
    for (int i = 0; i < MAX_RACES; i++) {
      Optional<Versioned> stored = migrations.find(migration);
      Optional<Row> row = find(vm);
      if (row.isEmpty() || stored.isEmpty() || !MigrationRecords.parse(stored.get()).getVmId().equals(vm.value())) {
        return Decision.UNKNOWN;
      }
      MigrationRecord record = MigrationRecords.parse(stored.get());
      VmRecord before = row.get().record();
      boolean stillCommitted = record.getDecision() == MigrationRecord.Decision.COMMITTED && !before.hasPending()
          && before.getPhase() == VmRecord.Phase.ACTIVE && before.getEpoch() == record.getDecidedEpoch();
      if (!stillCommitted || !liveHosts.isAlive(new HostId(record.getSourceHost()),
          new Incarnation(record.getSourceIncarnation()))) {
        return decided(record, before);
      }
      VmRecord next = before.toBuilder().setOwnerHost(record.getSourceHost())
          .setOwnerIncarnation(record.getSourceIncarnation()).setStorageId(record.getSourceStorage())
          .setEpoch(Math.addExact(before.getEpoch(), 1)).build();
      MigrationRecord takenBack = record.toBuilder().setDecision(MigrationRecord.Decision.TAKEN_BACK)
          .setDecidedEpoch(next.getEpoch()).build();
      if (store.commit(new Transaction().ifUnchanged(row.get().versioned()).ifUnchanged(stored.get())
          .put(VMS + vm, next.toByteArray()).put(stored.get().key(), takenBack.toByteArray()))) {
        log.info("vm={} migration={} given back, owner={} epoch={}", vm, migration, next.getOwnerHost(),
            next.getEpoch());
        return decided(takenBack, next);
      }
    }
    throw new IllegalStateException("row of VM %s changed %d times in a row".formatted(vm, MAX_RACES));
  }

  private Decision decide(VmId vm, MigrationId migration, Predicate<PendingMigration> mayCommit,
      LiveHosts liveHosts) {
    for (int i = 0; i < MAX_RACES; i++) {
      // The decision before the row: a row that was read before the decision would answer COMMITTED under the old epoch,
      // and a destination that hears this takes its copy for a stale one and destroys it.
      Optional<Versioned> stored = migrations.find(migration);
      Optional<Row> row = find(vm);
      if (row.isEmpty() || stored.isEmpty() || !MigrationRecords.parse(stored.get()).getVmId().equals(vm.value())) {
        return Decision.UNKNOWN;
      }
      MigrationRecord record = MigrationRecords.parse(stored.get());
      if (record.getDecision() != MigrationRecord.Decision.PENDING) {
        return decided(record, row.get().record());
      }
      PendingMigration pending = row.get().record().getPending();
      boolean mine = row.get().record().hasPending() && pending.getMigrationId().equals(migration.value());
      boolean commits = mine && mayCommit.test(pending);
      VmRecord next = next(row.get().record(), pending, mine, commits, liveHosts);
      MigrationRecord.Decision decision = commits
          ? MigrationRecord.Decision.COMMITTED
          : MigrationRecord.Decision.ABORTED;
      MigrationRecord decidedRecord = record.toBuilder().setDecision(decision).setDecidedEpoch(next.getEpoch()).build();
      if (store.commit(new Transaction().ifUnchanged(row.get().versioned()).ifUnchanged(stored.get())
          .put(VMS + vm, next.toByteArray())
          .put(stored.get().key(), decidedRecord.toByteArray()))) {
        if (logsDecisions) {
          log.info("vm={} migration={} decided {} owner={} epoch={}", vm, migration, decision, next.getOwnerHost(),
              next.getEpoch());
        }
        return decided(decidedRecord, next);
      }
    }
    throw new IllegalStateException("row of VM %s changed %d times in a row".formatted(vm, MAX_RACES));
  }

  private static VmRecord next(VmRecord row, PendingMigration pending, boolean mine, boolean commits,
      LiveHosts liveHosts) {
    VmRecord.Builder next = row.toBuilder();
    if (!mine) {
      return next.build();
    }
    next.clearPending();
    if (commits && !pending.getStorageId().isEmpty()) {
      next.setStorageId(pending.getStorageId());
    }
    if (commits && pending.getKind() == PendingMigration.Kind.SAVE) {
      next.setPhase(VmRecord.Phase.SAVED).setSavedState(pending.getSavedState());
    } else if (commits) {
      next.setOwnerHost(pending.getDestinationHost()).setOwnerIncarnation(pending.getDestinationIncarnation())
          .setEpoch(Math.addExact(row.getEpoch(), 1)).setPhase(VmRecord.Phase.ACTIVE).clearSavedState();
    } else if (pending.getKind() == PendingMigration.Kind.MOVE && pending.hasSavedState()
        && !isOwnerAlive(row, liveHosts)) {
      next.setPhase(VmRecord.Phase.SAVED).setSavedState(pending.getSavedState())
          .setEpoch(Math.addExact(row.getEpoch(), 1));
    }
    return next.build();
  }

  private static Decision decided(MigrationRecord migration, VmRecord row) {
    Outcome outcome = switch (migration.getDecision()) {
      case COMMITTED -> Outcome.COMMITTED;
      case TAKEN_BACK -> Outcome.TAKEN_BACK;
      case ABORTED -> Outcome.ABORTED;
      case PENDING, DECISION_UNSPECIFIED, UNRECOGNIZED ->
        throw new IllegalStateException("migration of VM %s is not decided".formatted(migration.getVmId()));
    };
    if (outcome == Outcome.TAKEN_BACK && row.getEpoch() != migration.getDecidedEpoch()) {
      // It has moved on since: whoever asks has a copy of an epoch that is over.
      return new Decision(Outcome.ABORTED, row.getOwnerHost(), row.getEpoch());
    }
    return new Decision(outcome, row.getOwnerHost(), row.getEpoch());
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

  private static Row row(Versioned stored) {
    try {
      return new Row(VmRecord.parseFrom(stored.value()), stored);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(stored.key()), e);
    }
  }
}
