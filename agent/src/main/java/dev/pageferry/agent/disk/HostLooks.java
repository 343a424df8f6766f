package dev.pageferry.agent.disk;

import dev.pageferry.agent.disk.HostSign.Verdict;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/**
 * Looks whether other hosts live: their agents' locks and leases. A free lock alone says that its process has ended only to the kernel that
 * kept it; a file server may have taken it from a host that is cut off and lives. So its lease is waited out as well: until then it may
 * write under a renewal that was begun before. After that it renews first, which is seen.
 */
final class HostLooks {
  private final LeaseStore store;
  private final StorageLease own;

  HostLooks(LeaseStore store, StorageLease own) {
    this.store = store;
    this.own = own;
  }

  /** @throws IOException if the storage does not tell */
  HostSign look(String host, String incarnation) throws IOException {
    Optional<LeaseRecord> found = StorageLease.hostFile(store, host).read();
    if (found.isEmpty()) {
      return new HostSign(Verdict.UNKNOWN, "it never had a lease on storage %s".formatted(store));
    }
    LeaseRecord lease = found.get();
    long unchanged = own.unchangedNanos(lease);
    if (!lease.isOfLife(incarnation)) {
      return new HostSign(Verdict.UNKNOWN, "its lease is incarnation %s's".formatted(lease.incarnation()));
    }
    if (lease.state() == LeaseRecord.State.RELEASED) {
      return new HostSign(Verdict.GONE, "it has given its lease up");
    }
    Optional<LeaseStore.Lock> lock = store.tryLock(StorageLease.lockName(host));
    if (lock.isEmpty()) {
      return new HostSign(Verdict.LIVES, "its agent's lock is held");
    }
    lock.get().close();
    return judgeUnlocked(lease, unchanged);
  }

  private HostSign judgeUnlocked(LeaseRecord lease, long unchangedNanos) {
    if (lease.boot().equals(own.holder().boot())) {
      return new HostSign(Verdict.GONE, "its lock is free, and the kernel that kept it knows that its agent has ended");
    }
    Duration needed = StorageLease.waitedOut(lease.duration());
    long seconds = Duration.ofNanos(unchangedNanos).toSeconds();
    return unchangedNanos >= needed.toNanos()
        ? new HostSign(Verdict.GONE,
            "its lock is free, and its lease was not renewed for %d s".formatted(seconds))
        : new HostSign(Verdict.WAITING,
            "its lock is free, and its lease is waited out: %d of %d s".formatted(seconds, needed.toSeconds()));
  }
}
