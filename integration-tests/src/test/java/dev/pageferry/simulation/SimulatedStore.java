package dev.pageferry.simulation;

import dev.pageferry.coordinator.store.RecordStore;
import java.time.Duration;
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
  /** As a disk takes that nobody else uses much. */
  static final Duration SOON = Duration.ofMillis(3);

  private final Baton baton;
  private final SplittableRandom random;
  private final BiConsumer<String, byte[]> listener;
  private final TreeMap<String, RecordStore.Versioned> durable = new TreeMap<>();
  private final Planted planted;
  /** What a planted fault brings back: how it was some writes ago. */
  private TreeMap<String, RecordStore.Versioned> before = new TreeMap<>();
  private final int longestSyncNanos;
  private long revision;

  /**
   * @param listener hears of every write, with its key
   * @param longestSync a commit takes up to twice as long
   */
  SimulatedStore(Baton baton, BiConsumer<String, byte[]> listener, Planted planted, Duration longestSync) {
    this.baton = baton;
    this.longestSyncNanos = (int) longestSync.toNanos();
    this.planted = planted;
    this.listener = listener;
    this.random = baton.newRandom();
  }

  /** A planted fault: what was written last is lost. */
  void goBack() {
    durable.clear();
    durable.putAll(before);
    baton.trace("disk", "the records go back");
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
      baton.pause(process, random.nextInt(longestSyncNanos));
      boolean applied = apply(transaction);
      baton.pause(process, random.nextInt(longestSyncNanos));
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
      boolean isCompared = planted != Planted.BOTH_DECISIONS_WIN || !each.key().startsWith("vms/")
          && !each.key().startsWith("migrations/");
      if (isCompared && (present == null ? 0 : present.revision()) != each.revision()) {
        return false;
      }
    }
    if (planted == Planted.RECORDS_GO_BACK && revision % 8 == 0) {
      before = new TreeMap<>(durable);
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
