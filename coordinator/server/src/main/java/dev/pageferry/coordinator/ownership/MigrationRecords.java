package dev.pageferry.coordinator.ownership;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.coordinator.store.CompareAndSet;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.proto.records.v1.MigrationRecord;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/** The records of migrations, each with its decision and, while operators may ask for it, its document. */
final class MigrationRecords {
  static final String MIGRATIONS = "migrations/";
  /** Of migrations that operators see no longer. */
  static final String DECISIONS = "decisions/";

  private final RecordStore store;

  /** A record as it was read, parsed once: a commit is a part of every blackout. */
  record Stored(Versioned versioned, MigrationRecord record) {
    static Stored of(Versioned versioned) {
      return new Stored(versioned, parse(versioned));
    }
  }

  MigrationRecords(RecordStore store) {
    this.store = store;
  }

  Optional<Versioned> find(MigrationId migration) {
    return store.get(MIGRATIONS + migration).or(() -> store.get(DECISIONS + migration));
  }

  /** All whose documents are remembered, in no particular order. */
  List<MigrationRecord> list() {
    return store.list(MIGRATIONS).stream().map(MigrationRecords::parse).toList();
  }

  /** Changes what operators see; the decision is not touched. */
  void update(MigrationId migration, UnaryOperator<MigrationRecord> change) {
    boolean _ = CompareAndSet.untilItHolds("record of migration " + migration, () -> {
      Optional<Versioned> stored = store.get(MIGRATIONS + migration);
      if (stored.isEmpty()) {
        return Optional.of(false);
      }
      MigrationRecord before = parse(stored.get());
      MigrationRecord after = change.apply(before).toBuilder().setDecision(before.getDecision())
          .setDecidedEpoch(before.getDecidedEpoch()).build();
      boolean isDone = store.commit(
          new Transaction().ifUnchanged(stored.get()).put(MIGRATIONS + migration, after.toByteArray()));
      return isDone ? Optional.of(true) : Optional.empty();
    });
  }

  /**
   * Forgets what operators saw. The decision stays, some 200 bytes: a host that was cut off may ask for it whenever it comes
   * back, and would destroy a good copy if nobody knew.
   */
  void forgetDocument(MigrationId migration) {
    store.get(MIGRATIONS + migration).ifPresent(stored -> {
      MigrationRecord decided = parse(stored).toBuilder().clearDocument().clearRequestId().build();
      store.commit(new Transaction().ifUnchanged(stored).delete(MIGRATIONS + migration)
          .put(DECISIONS + migration, decided.toByteArray()));
    });
  }

  static MigrationRecord parse(Versioned stored) {
    try {
      return MigrationRecord.parseFrom(stored.value());
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(stored.key()), e);
    }
  }
}
