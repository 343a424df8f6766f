package dev.pageferry.simulation;

import dev.pageferry.coordinator.store.RecordStore;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.BiConsumer;

/**
 * The disk with a coordinator's records. A commit takes a while: whoever dies before its moment has changed nothing, whoever
 * dies after it was heard by the disk, and by nobody else.
 */
final class SimulatedStore {
  private static final int LONGEST_SYNC_NANOS = 3_000_000;

  private final Baton baton;
  private final SplittableRandom random;
  private final BiConsumer<String, byte[]> listener;
  private final TreeMap<String, RecordStore.Versioned> durable = new TreeMap<>();
  private long revision;

  /** @param listener hears of every write, with its key */
  SimulatedStore(Baton baton, BiConsumer<String, byte[]> listener) {
    this.baton = baton;
    this.listener = listener;
    this.random = baton.newRandom();
  }

  /** The records, as one process sees them. */
  RecordStore open(SimulatedScheduler process) {
    return new OpenStore(process);
  }

  private final class OpenStore implements RecordStore {
    private final SimulatedScheduler process;

    OpenStore(SimulatedScheduler process) {
      this.process = process;
    }

    @Override
    public Optional<Versioned> get(String key) {
      process.requireAlive();
      return Optional.ofNullable(durable.get(key));
    }

    @Override
    public List<Versioned> list(String prefix) {
      process.requireAlive();
      return new ArrayList<>(durable.subMap(prefix, prefix + Character.MAX_VALUE).values());
    }

    @Override
    public Snapshot snapshot() {
      process.requireAlive();
      return new Snapshot(revision, List.copyOf(durable.values()));
    }

    @Override
    public long revision() {
      return revision;
    }

    @Override
    public boolean commit(Transaction transaction) {
      baton.pause(process, random.nextInt(LONGEST_SYNC_NANOS));
      boolean applied = apply(transaction);
      baton.pause(process, random.nextInt(LONGEST_SYNC_NANOS));
      return applied;
    }

    @Override
    public void close() {
      // It is the process that goes.
    }
  }

  private boolean apply(RecordStore.Transaction transaction) {
    for (RecordStore.Transaction.Comparison each : transaction.comparisons()) {
      RecordStore.Versioned present = durable.get(each.key());
      if ((present == null ? 0 : present.revision()) != each.revision()) {
        return false;
      }
    }
    revision++;
    for (RecordStore.Transaction.Write each : transaction.writes()) {
      if (each.value().isPresent()) {
        listener.accept(each.key(), each.value().get());
        durable.put(each.key(), new RecordStore.Versioned(each.key(), each.value().get(), revision));
      } else {
        durable.remove(each.key());
      }
    }
    baton.trace("disk", "revision %d of %s".formatted(revision,
        transaction.writes().stream().map(RecordStore.Transaction.Write::key).toList()));
    return true;
  }
}
