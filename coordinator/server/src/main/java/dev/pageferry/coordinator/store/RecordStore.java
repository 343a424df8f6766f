package dev.pageferry.coordinator.store;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Durable records by key, each with the revision of the store that wrote it last: the shape of etcd's key-value API. What
 * {@link #commit} answered true to survives the death of the process and of the machine. Any thread may call.
 */
public interface RecordStore extends AutoCloseable {
  /**
   * A record as it was read.
   *
   * @param revision the store's revision that wrote it, 1 or more
   */
  record Versioned(String key, byte[] value, long revision) {
  }

  Optional<Versioned> get(String key);

  /** Records whose keys begin with the prefix, in key order. */
  List<Versioned> list(String prefix);

  /**
   * All records at one moment.
   *
   * @param revision of the store
   */
  record Snapshot(long revision, List<Versioned> records) {
  }

  Snapshot snapshot();

  /** The newest revision that is durable: of the last commit that answered true. */
  long revision();

  /** Applies all writes if all comparisons hold, and nothing otherwise. */
  boolean commit(Transaction transaction);

  @Override
  void close();

  /** Comparisons and writes that belong together. */
  final class Transaction {
    /** @param revision that the record must have; 0: there must be none */
    public record Comparison(String key, long revision) {
    }

    /** @param value empty: the record is deleted */
    public record Write(String key, Optional<byte[]> value) {
    }

    private final List<Comparison> comparisons = new ArrayList<>();
    private final List<Write> writes = new ArrayList<>();

    /** The record must be the one that was read: its revision is unchanged. */
    public Transaction ifUnchanged(Versioned read) {
      comparisons.add(new Comparison(read.key(), read.revision()));
      return this;
    }

    /** There must be no record of that key. */
    public Transaction ifAbsent(String key) {
      comparisons.add(new Comparison(key, 0));
      return this;
    }

    public Transaction put(String key, byte[] value) {
      writes.add(new Write(key, Optional.of(value)));
      return this;
    }

    public Transaction delete(String key) {
      writes.add(new Write(key, Optional.empty()));
      return this;
    }

    /** For stores. */
    public List<Comparison> comparisons() {
      return comparisons;
    }

    /** For stores. */
    public List<Write> writes() {
      return writes;
    }
  }
}
