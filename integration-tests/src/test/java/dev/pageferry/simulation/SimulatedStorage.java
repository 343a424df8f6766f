package dev.pageferry.simulation;

import dev.pageferry.agent.disk.LeaseStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Storage that several hosts share: files with leases and marks, locks, and what is on disks. A lock belongs to the kernel of
 * whoever took it. Where all hosts have one kernel, that lets it go as soon as its process has ended; where each has its own, a
 * file server does, a while after it heard that kernel last, though the process may live.
 */
final class SimulatedStorage {
  private static final int LONGEST_CALL_NANOS = 1_500_000;
  private static final int SLOW_CALL_NANOS = 2_000_000_000;
  private static final int LATE_WRITE_NANOS = 500_000_000;
  /** What no host gets an answer for is given up by kernels that do so. */
  private static final long GIVES_UP_NANOS = 5_000_000_000L;
  private static final long LEAST_GRACE_NANOS = 2_000_000_000L;

  /** Whose locks these are. */
  enum Kernels {
    ONE,
    OWN
  }

  private final Baton baton;
  private final SplittableRandom random;
  private final Kernels kernels;
  /** Whether calls of a host that is cut off fail after a while, or wait for as long as it takes. */
  private final boolean givesUp;
  private final Consumer<String> violations;
  final Map<String, byte[]> files = new HashMap<>();
  private final Map<String, SimulatedDisk> disks = new TreeMap<>();
  private final Map<String, StorageLock> locks = new TreeMap<>();
  /** Looks at a lock, by others, that are under way. */
  private final Map<String, Integer> looks = new HashMap<>();
  private final Map<String, Long> cutUntil = new HashMap<>();
  private final Map<String, Long> slowUntil = new HashMap<>();
  private final Map<String, Integer> revocations = new HashMap<>();
  private final List<LateWrite> underWay = new ArrayList<>();

  /** A lock; free ones are remembered, since their files are there. */
  static final class StorageLock implements LeaseStore.Lock {
    private final SimulatedStorage storage;
    private final SimulatedScheduler owner;
    private boolean held = true;
    /** Its process has not let it go, whatever the storage says. */
    private boolean kept = true;

    StorageLock(SimulatedStorage storage, SimulatedScheduler owner) {
      this.storage = storage;
      this.owner = owner;
    }

    @Override
    public void close() {
      owner.requireAlive();
      storage.baton.running();
      held = false;
      kept = false;
    }
  }

  /** A write of a host that has not been carried out yet. */
  private record LateWrite(SimulatedScheduler by, String name, Runnable action) {
  }

  SimulatedStorage(Baton baton, Kernels kernels, boolean givesUp, Consumer<String> violations) {
    this.baton = baton;
    this.random = baton.newRandom();
    this.kernels = kernels;
    this.givesUp = givesUp;
    this.violations = violations;
  }

  Kernels kernels() {
    return kernels;
  }

  SplittableRandom random() {
    return random;
  }

  void violated(String what) {
    violations.accept(what);
  }

  SimulatedDisk disk(String name) {
    return disks.computeIfAbsent(name, unused -> new SimulatedDisk(this, name));
  }

  /** Nothing of this host comes to the storage for a time. Where it has a kernel of its own, that may lose its locks. */
  void cut(SimulatedScheduler host, Duration time) {
    cutUntil.put(host.name(), Math.max(cutUntil.getOrDefault(host.name(), 0L), baton.nanos() + time.toNanos()));
    baton.trace("storage", "%s is cut off for %d ms".formatted(host.name(), time.toMillis()));
    silent(host, time);
  }

  /** The host's kernel says nothing for a time: it is cut off, or stands still as a whole. */
  void silent(SimulatedScheduler host, Duration time) {
    long grace = LEAST_GRACE_NANOS + random.nextLong(20_000_000_000L);
    if (kernels == Kernels.OWN && grace < time.toNanos()) {
      baton.at(baton.nanos() + grace, "storage", "the file server takes the locks of " + host.name(),
          () -> {
            if (isCut(host) || host.isFrozen()) {
              revoke(host);
            }
          });
    }
  }

  private void revoke(SimulatedScheduler host) {
    revocations.merge(host.name(), 1, Integer::sum);
    locks.values().stream().filter(each -> each.owner == host).forEach(each -> each.held = false);
  }

  void slow(SimulatedScheduler host, Duration time) {
    slowUntil.put(host.name(), baton.nanos() + time.toNanos());
    baton.trace("storage", "%s is slow for %d ms".formatted(host.name(), time.toMillis()));
  }

  void heal() {
    cutUntil.clear();
    slowUntil.clear();
    baton.trace("storage", "healed");
  }

  /** The process has ended, alone or with its kernel. */
  void died(SimulatedScheduler host, boolean isKernelDead) {
    List<LateWrite> late = underWay.stream().filter(each -> each.by() == host).toList();
    underWay.removeAll(late);
    boolean isServed = kernels == Kernels.ONE || !isKernelDead;
    for (LateWrite each : late) {
      if (random.nextBoolean()) {
        baton.at(baton.nanos() + (isServed ? 0 : random.nextInt(LATE_WRITE_NANOS)), "storage",
            "a write of the dead to " + each.name(), each.action());
      }
    }
    long grace = isServed ? 0 : LEAST_GRACE_NANOS + random.nextLong(18_000_000_000L);
    baton.at(baton.nanos() + grace, "storage", "locks of " + host.name() + " come free", () -> revoke(host));
    if (!isServed) {
      disks.values().forEach(each -> each.losePower(host));
    }
  }

  private boolean isCut(SimulatedScheduler host) {
    return cutUntil.getOrDefault(host.name(), 0L) > baton.nanos();
  }

  /** A call's way to the storage or back; often none worth a wait. */
  void travel(SimulatedScheduler host) throws SimulatedStorageException {
    host.requireAlive();
    boolean isSlow = slowUntil.getOrDefault(host.name(), 0L) > baton.nanos();
    if (isSlow || random.nextInt(3) == 0) {
      baton.pause(host, random.nextInt(isSlow ? SLOW_CALL_NANOS : LONGEST_CALL_NANOS));
    }
    long begun = baton.nanos();
    while (isCut(host)) {
      if (givesUp && baton.nanos() - begun > GIVES_UP_NANOS) {
        throw new SimulatedStorageException("the storage does not answer");
      }
      baton.pause(host, Math.min(GIVES_UP_NANOS, cutUntil.getOrDefault(host.name(), 0L) - baton.nanos()) + 1);
    }
  }

  /** Changes something, when the call has come there; who dies or is cut off meanwhile may have done so, or not. */
  void change(SimulatedScheduler host, String name, Runnable action) throws SimulatedStorageException {
    int before = revocations.getOrDefault(host.name(), 0);
    LateWrite write = new LateWrite(host, name, action);
    underWay.add(write);
    try {
      travel(host);
    } catch (SimulatedStorageException e) {
      underWay.remove(write);
      throw e;
    }
    underWay.remove(write);
    if (revocations.getOrDefault(host.name(), 0) != before) {
      throw new SimulatedStorageException("stale file handle");
    }
    action.run();
    travel(host);
  }

  @Nullable
  StorageLock tryLock(SimulatedScheduler host, String name) throws SimulatedStorageException {
    travel(host);
    StorageLock there = locks.get(name);
    boolean isOwn = there != null && there.kept && there.owner == host;
    if (isOwn || there != null && there.held || looks.getOrDefault(name, 0) > 0) {
      return null;
    }
    StorageLock lock = new StorageLock(this, host);
    locks.put(name, lock);
    return lock;
  }

  LeaseStore.Holding holding(SimulatedScheduler host, String name) throws SimulatedStorageException {
    travel(host);
    StorageLock there = locks.get(name);
    if (there == null) {
      return LeaseStore.Holding.UNKNOWN;
    }
    if (there.held) {
      return LeaseStore.Holding.HELD;
    }
    looks.merge(name, 1, Integer::sum);
    try {
      travel(host);
    } finally {
      looks.merge(name, -1, Integer::sum);
    }
    return LeaseStore.Holding.FREE;
  }
}
