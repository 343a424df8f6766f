package dev.pageferry.agent.disk;

import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A disk that is open on this host under a lease. All of its input and output goes through one gate, one request at a time
 * and at most {@link #MAX_BYTES} each, so that this bounds what can still be in flight when permission ends: a process that
 * is stopped between the check and the system call completes that one write when it is woken, and no other. What closes
 * this last window on real storage, and why it is closed on one kernel, stands in docs/STORAGE.md.
 */
final class LeasedDisk implements BlockDevice {
  static final int MAX_BYTES = 1 << 20;

  private final DiskDescription description;
  private final DiskFile file;
  private final DiskLease lease;
  private final StorageLease host;
  private final ReentrantLock gate = new ReentrantLock();
  /** Guarded by {@link #gate}. */
  private boolean closed;
  /** Blocks written since they were asked for last; guarded by {@link #gate}, null while nobody asks. */
  private @Nullable BitSet written;

  LeasedDisk(DiskDescription description, DiskFile file, DiskLease lease, StorageLease host) {
    this.description = description;
    this.file = file;
    this.lease = lease;
    this.host = host;
  }

  @Override
  public long sizeBytes() {
    return description.sizeBytes();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    through(target.remaining(), () -> file.read(offset, target));
  }

  @Override
  public void write(long offset, ByteBuffer source) throws IOException {
    int bytes = source.remaining();
    through(bytes, () -> {
      note(offset, bytes);
      file.write(offset, source);
    });
  }

  @Override
  public void flush() throws IOException {
    through(0, file::flush);
  }

  private interface Request {
    void carryOut() throws IOException;
  }

  private void through(int bytes, Request request) throws IOException {
    if (bytes > MAX_BYTES) {
      throw new DiskException("a request of %d bytes on disk %s exceeds %d".formatted(bytes, description.name(),
          MAX_BYTES));
    }
    gate.lock();
    try {
      requirePermission();
      request.carryOut();
      // What was done while the permission ended does not count as done: the guest is not told, and tries again.
      requirePermission();
    } finally {
      gate.unlock();
    }
  }

  /** Before the write: one that fails may have changed something all the same. */
  private void note(long offset, int bytes) {
    if (written != null && bytes > 0 && offset >= 0 && offset < sizeBytes()) {
      written.set((int) (offset >>> PageSize.SHIFT), (int) PageSize.pagesFor(Math.min(sizeBytes(), offset + bytes)));
    }
  }

  /** Begins to note which blocks are written, or begins anew; see {@link WriteTracking}. */
  BitSet harvestWrites() {
    gate.lock();
    try {
      BitSet harvested = written == null ? new BitSet() : written;
      written = new BitSet();
      return harvested;
    } finally {
      gate.unlock();
    }
  }

  /** Notes no more. */
  void endTracking() {
    gate.lock();
    try {
      written = null;
    } finally {
      gate.unlock();
    }
  }

  private void requirePermission() throws IOException {
    if (closed) {
      throw new DiskException("disk %s is not open on this host any more".formatted(description.name()));
    }
    if (!host.isLive()) {
      throw new DiskException("disk %s: this host's lease on the storage has expired".formatted(description.name()));
    }
  }

  boolean isFenced() throws IOException {
    return lease.isFenced();
  }

  /** Waits for the request in flight, flushes, closes, and says so beside the disk. However that goes, it is unlocked. */
  void release(String migration) throws IOException {
    gate.lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      try (file) {
        file.flush();
      } catch (IOException | RuntimeException | Error e) {
        lease.unlock();
        throw e;
      }
      lease.release(migration);
    } finally {
      gate.unlock();
    }
  }

  /** What to do with the lease of a disk that was closed. */
  private interface LastWord {
    void say(DiskLease lease) throws IOException;
  }

  /** Closes for another host that is to have the disk, and says so beside it. */
  void yieldToOther() throws IOException {
    close(DiskLease::yieldToOther);
  }

  /** Closes without a word, as the death of this process would. */
  void abandon() throws IOException {
    close(DiskLease::unlock);
  }

  private void close(LastWord word) throws IOException {
    gate.lock();
    try {
      if (!closed) {
        closed = true;
        try {
          file.close();
        } finally {
          word.say(lease);
        }
      }
    } finally {
      gate.unlock();
    }
  }
}
