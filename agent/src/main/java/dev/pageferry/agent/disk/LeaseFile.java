package dev.pageferry.agent.disk;

import java.io.IOException;
import java.util.Optional;

/** One lease on shared storage. Written by whoever has its lock, read by anyone. */
final class LeaseFile {
  /** A reader may meet a write half done, where the file system shows such a thing. */
  private static final int READS = 5;

  private final LeaseStore store;
  private final String name;

  LeaseFile(LeaseStore store, String name) {
    this.store = store;
    this.name = name;
  }

  /**
   * Reads the lease.
   *
   * @return empty if there is surely none: the file is not there, or was made and never written
   * @throws DiskException if the file is there and holds no lease
   * @throws IOException if it cannot be read: then nobody knows whether there is one
   */
  Optional<LeaseRecord> read() throws IOException {
    for (int attempt = 1;; attempt++) {
      Optional<byte[]> bytes = store.read(name);
      if (bytes.isEmpty() || bytes.get().length == 0) {
        return Optional.empty();
      }
      try {
        return Optional.of(LeaseRecord.decode(bytes.get()));
      } catch (DiskException e) {
        if (attempt == READS) {
          throw new DiskException("%s: %s; delete the file once no host uses the disk or VM it protects".formatted(this,
              e.getMessage()), e);
        }
      }
    }
  }

  /** Returns once the lease is on stable storage. */
  void write(LeaseRecord lease) throws IOException {
    store.write(name, lease.encode().array());
  }

  void delete() throws IOException {
    store.delete(name);
  }

  @Override
  public String toString() {
    return store + "/" + name;
  }
}
