package dev.pageferry.agent.disk;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReadWriteLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A disk that is open on this host under a lease. All of its input and output goes through one gate, at most
 * {@link #MOST_BYTES} a request and one request of each thread that uses it, so that this bounds what can still be in flight
 * when permission ends: a process that is stopped between the check and the system call completes those when it is woken, and
 * no others. What closes this last window on real storage, and why it is closed on one kernel, stands in docs/STORAGE.md.
 *
 * <p>Whether the disk may be used is known without the gate, and withdrawn without it: a request that hangs holds up nobody
 * who withdraws. Requests share the gate; what has it alone, and so waits for them, is the word to others that they may have
 * the disk ({@link #yieldToOther}). So requests that passed the check just before the withdrawal are those in flight, they are
 * over before that word, and every later one finds itself refused.
 */
final class LeasedDisk implements BlockDevice {
  private static final Logger log = LoggerFactory.getLogger(LeasedDisk.class);

  private final DiskDescription description;
  private final OpenDisk file;
  private final DiskLease lease;
  private final StorageLease host;
  private final ReadWriteLock gate;
  /** Shared by writes; who takes the notes has it alone, and so waits for no flush. Inside the gate where both are taken. */
  private final ReadWriteLock writing;
  /** Guarded by {@link #gate}. */
  private boolean closed;
  /** Blocks written since they were asked for last; changed by writes inside its monitor, replaced while there are none. */
  private @Nullable BitSet written;

  /** Another host is to have the disk, for good. */
  private volatile boolean withdrawn;
  /** The newest renewal of the host's lease under which the disk was seen not to be marked; 0: none. */
  private final AtomicLong clearAsOf = new AtomicLong();
  private volatile boolean troubled;

  LeasedDisk(DiskDescription description, OpenDisk file, DiskLease lease, StorageLease host, Scheduler scheduler) {
    this.description = description;
    this.file = file;
    this.lease = lease;
    this.host = host;
    this.gate = scheduler.newReadWriteLock();
    this.writing = scheduler.newReadWriteLock();
  }

  /**
   * Reads whether another host is to have the disk, and permits or withdraws accordingly. Where that cannot be read nothing
   * is permitted under the present renewal, until a later call can read it. Waits for no request; never fails.
   */
  void inspect() {
    // Before the marks are read: what was read counts for renewals that others could see by then, and for no later one.
    long renewal = host.renewals();
    try {
      if (lease.isFenced()) {
        withdrawn = true;
      } else {
        long _ = clearAsOf.accumulateAndGet(renewal, Math::max);
      }
      if (troubled) {
        troubled = false;
        log.info("disk {}: its lease can be read again", description.name());
      }
    } catch (IOException | RuntimeException e) {
      if (!troubled) {
        troubled = true;
        log.warn("disk {} is not used until it is known whether another host is to have it: {}", description.name(),
            e instanceof IOException io ? StorageFiles.reason(io) : e.toString());
      }
    }
  }

  /** From now on nothing is begun on this disk any more. */
  void withdraw() {
    withdrawn = true;
  }

  boolean isWithdrawn() {
    return withdrawn;
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
      writing.readLock().lock();
      try {
        note(offset, bytes);
        file.write(offset, source);
      } finally {
        writing.readLock().unlock();
      }
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
    if (bytes > MOST_BYTES) {
      throw new DiskException("a request of %d bytes on disk %s exceeds %d".formatted(bytes, description.name(),
          MOST_BYTES));
    }
    gate.readLock().lock();
    try {
      requirePermission();
      request.carryOut();
      // What was done while the permission ended does not count as done: the guest is not told, and tries again.
      requirePermission();
    } finally {
      gate.readLock().unlock();
    }
  }

  /** Before the write: one that fails may have changed something all the same. */
  private void note(long offset, int bytes) {
    BitSet notes = written;
    if (notes != null && bytes > 0 && offset >= 0 && offset < sizeBytes()) {
      synchronized (notes) {
        notes.set((int) (offset >>> PageSize.SHIFT), (int) PageSize.pagesFor(Math.min(sizeBytes(), offset + bytes)));
      }
    }
  }

  /**
   * Begins to note which blocks are written, or begins anew; see {@link WriteTracking}. No write is under way meanwhile, which
   * would be noted and not done.
   */
  BitSet harvestWrites() {
    writing.writeLock().lock();
    try {
      BitSet harvested = written == null ? new BitSet() : written;
      written = new BitSet();
      return harvested;
    } finally {
      writing.writeLock().unlock();
    }
  }

  /** Notes no more. */
  void endTracking() {
    writing.writeLock().lock();
    try {
      written = null;
    } finally {
      writing.writeLock().unlock();
    }
  }

  private void requirePermission() throws IOException {
    if (closed) {
      throw new DiskNotPermittedException("disk %s is not open on this host any more".formatted(description.name()));
    }
    long renewal = host.liveRenewal();
    if (renewal == 0) {
      throw new DiskNotPermittedException(
          "disk %s: this host's lease on the storage has expired".formatted(description.name()));
    }
    if (clearAsOf.get() < renewal) {
      // The inspection could not read it, or has not been here yet: whoever asks finds out, and goes on by itself.
      inspect();
    }
    if (withdrawn) {
      throw new DiskNotPermittedException(
          "disk %s is another host's to have; it is closed here".formatted(description.name()));
    }
    if (clearAsOf.get() < renewal) {
      throw new DiskNotPermittedException(
          "disk %s is not used until it is known whether another host is to have it; see the log"
              .formatted(description.name()));
    }
  }

  /**
   * Waits for requests in flight, flushes, closes, and says so beside the disk. However that goes, it is unlocked.
   *
   * @throws IOException also where the disk is another host's to have: then it was not released for any migration
   */
  void release(String migration) throws IOException {
    gate.writeLock().lock();
    try {
      if (closed) {
        requireNotFencedFor(migration);
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
      requireNotFencedFor(migration);
    } finally {
      gate.writeLock().unlock();
    }
  }

  private void requireNotFencedFor(String migration) throws DiskException {
    if (withdrawn && !migration.isEmpty()) {
      throw new DiskException("disk %s is another host's to have".formatted(description.name()));
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
    gate.writeLock().lock();
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
      gate.writeLock().unlock();
    }
  }
}
