package dev.pageferry.agent.disk;

import dev.pageferry.agent.disk.HostSign.Verdict;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Looks whether other hosts live: their agents' locks and leases. Only to the kernel that kept it does a free lock say that the agent has
 * ended; a file server may have taken it from a host that is cut off and lives. So the host's lease is waited out as well: until then that
 * host may write under a renewal from before the first look. Whatever it writes after that, it renews its lease first, and whoever has taken
 * its disks meanwhile has marked them.
 */
public final class HostLooks {
  private final LeaseStore store;
  private final StorageLease own;
  private final Presence storage;
  private final Scheduler scheduler;
  private volatile @Nullable Task watching;

  /** Whether the storage that was opened is there. */
  @FunctionalInterface
  interface Presence {
    void require() throws IOException;
  }

  HostLooks(LeaseStore store, StorageLease own, Presence storage, Scheduler scheduler) {
    this.store = store;
    this.own = own;
    this.storage = storage;
    this.scheduler = scheduler;
  }

  /** Begins to watch the leases of all other hosts until the storage is closed; see {@link LeaseWatch}. Once. */
  public void watch() {
    // Not a virtual thread: storage that hangs holds the carriers of those.
    watching = scheduler.startBlocking("lease-watch", new LeaseWatch(store, own, scheduler)::run);
  }

  void close() {
    Task running = watching;
    if (running != null) {
      running.interrupt();
    }
  }

  /**
   * Whether another host lives.
   *
   * @throws IOException if the storage does not tell
   */
  public HostSign look(String host, String incarnation) throws IOException {
    storage.require();
    long begun = own.nanos();
    Optional<LeaseRecord> found = StorageLease.hostFile(store, host).read();
    if (found.isEmpty()) {
      return new HostSign(Verdict.UNKNOWN, "it never had a lease on storage %s".formatted(store));
    }
    LeaseRecord lease = found.get();
    // Ahead of all else: whatever is found, the wait begins with the first look.
    long unchanged = own.unchangedNanos(lease, begun);
    if (!lease.isOfLife(incarnation)) {
      return judgeByAnother(lease, unchanged);
    }
    if (lease.state() == LeaseRecord.State.RELEASED) {
      return new HostSign(Verdict.GONE, "it has given its lease up");
    }
    return switch (store.holding(StorageLease.lockName(host))) {
      case HELD -> new HostSign(Verdict.LIVES,
          "its agent keeps its lock: it is frozen, or cut off from the coordinator alone");
      case UNKNOWN -> new HostSign(Verdict.UNKNOWN, "whether its agent keeps its lock cannot be told just now");
      case FREE -> judgeUnlocked(lease, unchanged);
    };
  }

  /**
   * The lease is of an incarnation before the one that is asked for, which then never had it, or of a later one, which saw that one end.
   * Whoever has it may be the one that is asked for, on its way to the lease, or lives without having registered yet. Once the lock is free
   * and the lease waited out nobody of that name is left who begins anything that others do not see first.
   */
  private HostSign judgeByAnother(LeaseRecord lease, long unchangedNanos) throws IOException {
    String whose = "its lease is that of another agent of its name (incarnation %s)".formatted(lease.incarnation());
    if (store.holding(StorageLease.lockName(lease.host())) != LeaseStore.Holding.FREE) {
      return new HostSign(Verdict.UNKNOWN, whose + ", and one of them keeps its lock");
    }
    Duration needed = StorageLease.waitedOut(lease.duration());
    long seconds = Duration.ofNanos(unchangedNanos).toSeconds();
    return unchangedNanos >= needed.toNanos()
        ? new HostSign(Verdict.GONE,
            "%s, its lock is free, and the lease was not renewed for %d s".formatted(whose, seconds))
        : new HostSign(Verdict.UNKNOWN, "%s, its lock is free, and the lease was not renewed for %d s; %d s are needed"
            .formatted(whose, seconds, needed.toSeconds()));
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
            "its lock is free, and its lease was not renewed for %d s; %d s are needed".formatted(seconds,
                needed.toSeconds()),
            needed.minusNanos(unchangedNanos));
  }
}
