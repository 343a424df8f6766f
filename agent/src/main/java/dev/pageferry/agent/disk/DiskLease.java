package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One VM's claim on one disk, in force while its host's {@link StorageLease} is live. Three files stand for it: a lock
 * that the kernel or the file server keeps, the lease itself, and the mark by which another host fences the holder.
 */
final class DiskLease {
  private static final Duration POLL = Duration.ofMillis(100);

  private final LeaseFile lease;
  private final LeaseFile fence;
  private final @Nullable LockFile lock;
  private final LeaseRecord record;

  private DiskLease(LeaseFile lease, LeaseFile fence, @Nullable LockFile lock, LeaseRecord record) {
    this.lease = lease;
    this.fence = fence;
    this.lock = lock;
    this.record = record;
  }

  /** What the files of a disk's lease are called. */
  static String key(String disk) {
    if (!DiskDescription.isPath(disk)) {
      return "disk-" + disk;
    }
    try {
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(disk.getBytes(StandardCharsets.UTF_8));
      return "path-" + HexFormat.of().formatHex(digest, 0, 16);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  /**
   * Takes a disk for a VM under an epoch.
   *
   * <p><i>Orderly</i>: it was released, or nobody ever had it. <i>Forced</i>: somebody has it and is silent; that one is
   * fenced, its lock must be seen released, and its host's lease is waited out, unless the lock is this very kernel's,
   * which knows whether anybody still has the disk open. The lock alone may be forgone, by the claim's word.
   *
   * @param key of the disk's files among the leases
   * @throws DiskException if the disk stays another one's
   */
  static DiskLease take(Path leases, String key, String disk, DiskClaim claim, StorageLease host, BootClock clock)
      throws IOException, InterruptedException {
    LeaseFile lease = new LeaseFile(leases.resolve(key + ".lease"));
    LeaseFile fence = new LeaseFile(leases.resolve(key + ".fence"));
    LockFile lock = lock(leases.resolve(key + ".lock"), lease, fence, disk, claim, host, clock);
    boolean taken = false;
    try {
      Optional<LeaseRecord> before = lease.read();
      // Epochs are a VM's: one that had the disk before says nothing.
      if (before.isPresent() && before.get().vm().equals(claim.vm()) && before.get().epoch() > claim.epoch()) {
        throw new DiskException("disk %s was opened under epoch %d, which is later than %d".formatted(disk,
            before.get().epoch(), claim.epoch()));
      }
      if (before.isPresent() && before.get().state() == LeaseRecord.State.HELD
          && !before.get().isOfLife(host.holder().incarnation()) && !isGone(before.get(), lock, host)) {
        // The mark before the last look at the holder's host, which renews before it looks for marks: so either it is seen
        // alive here, or it sees the mark there, whoever is stopped in between for however long.
        fence.write(record(LeaseRecord.State.FENCED, claim, host));
        StorageLease.awaitExpiry(StorageLease.hostFile(leases, before.get().host()), before.get().incarnation(),
            before.get().duration(), clock);
      }
      LeaseRecord record = record(LeaseRecord.State.HELD, claim, host);
      if (lock == null) {
        // No kernel will see this holder go: whoever comes next has to wait its lease out.
        record = record.ofUnknownBoot();
      }
      lease.write(record);
      fence.delete();
      taken = true;
      return new DiskLease(lease, fence, lock, record);
    } finally {
      if (!taken && lock != null) {
        lock.close();
      }
    }
  }

  /** A disk that a host has open for one VM is not taken from it for another one. */
  private static void checkVm(Optional<LeaseRecord> found, String disk, DiskClaim claim) throws DiskException {
    if (found.isPresent() && found.get().state() == LeaseRecord.State.HELD && !found.get().vm().equals(claim.vm())) {
      throw new DiskException("disk %s is in use by VM %s on host %s".formatted(disk, found.get().vm(),
          found.get().host()));
    }
  }

  /** @return null where the claim forgoes the lock */
  private static @Nullable LockFile lock(Path path, LeaseFile lease, LeaseFile fence, String disk, DiskClaim claim,
      StorageLease host, BootClock clock) throws IOException, InterruptedException {
    long start = clock.nanos();
    boolean marked = false;
    while (true) {
      Optional<LockFile> lock = LockFile.tryLock(path);
      if (lock.isPresent()) {
        return lock.get();
      }
      checkVm(lease.read(), disk, claim);
      if (clock.nanos() - start >= claim.patience().toNanos()) {
        break;
      }
      if (!marked) {
        // A holder that lives sees it within a renewal, closes the disk and lets its VM stand.
        fence.write(record(LeaseRecord.State.FENCED, claim, host));
        marked = true;
      }
      TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
    }
    if (claim.force()) {
      return null;
    }
    Optional<LeaseRecord> holder = lease.read();
    throw new DiskException(
        "disk %s is still locked by host %s (incarnation %s), which has not let go; see that its agent ends, or use --force-disks"
            .formatted(disk, holder.map(LeaseRecord::host).orElse("?"),
                holder.map(LeaseRecord::incarnation).orElse("?")));
  }

  /** Whether the kernel that kept the holder's lock, this very one, has seen the holder close the disk. */
  private static boolean isGone(LeaseRecord holder, @Nullable LockFile lock, StorageLease host) {
    return lock != null && holder.boot().equals(host.holder().boot());
  }

  private static LeaseRecord record(LeaseRecord.State state, DiskClaim claim, StorageLease host) {
    StorageLease.Holder holder = host.holder();
    return new LeaseRecord(state, claim.vm(), holder.host(), holder.incarnation(), holder.boot(), claim.epoch(), "", 0,
        host.duration());
  }

  /** What is written of a disk that came from other storage, and that nobody has opened here yet. */
  static LeaseRecord released(IncomingDisks.Origin origin, StorageLease host) {
    DiskClaim claim = DiskClaim.orderly(origin.vm().value(), origin.epoch().value());
    return record(LeaseRecord.State.HELD, claim, host).released(origin.migration().value());
  }

  /** Whether a later epoch wants the disk, or has it by now. */
  boolean isFenced() throws IOException {
    // The mark first: it is taken away only when the lease is another's.
    Optional<LeaseRecord> mark = fence.read();
    if (mark.isPresent() && mark.get().epoch() > record.epoch()) {
      return true;
    }
    Optional<LeaseRecord> now = lease.read();
    return now.isEmpty() || !now.get().equals(record);
  }

  /** Says that the disk is nobody's, or meant for a migration; after its last write was flushed. */
  void release(String migration) throws IOException {
    try {
      lease.write(record.released(migration));
    } finally {
      unlock();
    }
  }

  /** As {@link #release}, unless the lease is another's already. */
  void yieldToOther() throws IOException {
    try {
      if (lease.read().filter(record::equals).isPresent()) {
        lease.write(record.released(""));
      }
    } finally {
      unlock();
    }
  }

  /** Lets go without a word, as the death of this process would. */
  void unlock() throws IOException {
    if (lock != null) {
      lock.close();
    }
  }
}
