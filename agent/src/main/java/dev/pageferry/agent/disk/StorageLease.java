package dev.pageferry.agent.disk;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This host's lease on the shared storage: what lets its guests run and write. Renewed by a task of its own, and live
 * until its duration has passed since a renewal was <em>begun</em>, on a clock that runs through suspend. So a host that
 * was frozen finds it expired when it wakes up, and one that lost its storage stops its guests; a coordinator that is away
 * stops nobody. (The same two levels, a lease per host and one per disk that names the host's, are sanlock's.)
 *
 * <p>Others who want what this host held wait until they have seen no renewal for the duration and a tenth, on clocks of
 * their own: safe as long as no clock runs more than a tenth faster or slower than another.
 *
 * <p>Renewals are counted, and what is permitted is permitted under the number of one. A renewal first appears on storage,
 * then it gets its number, then the marks on disks are read ("inspection"), then it permits. A disk may be used only where
 * its marks were read under the number that permits now, or a later one; so whatever the inspection does not get to know,
 * or does not get to, is not permitted, and nobody waits for it. Nothing in here waits for a disk. (docs/STORAGE.md has
 * the argument.)
 */
public final class StorageLease implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(StorageLease.class);
  private static final Duration POLL = Duration.ofMillis(10);
  private static final Duration RETRY = Duration.ofMillis(200);
  /** How long storage that does not answer holds up the end of an agent. */
  private static final Duration CLOSING = Duration.ofSeconds(10);

  /**
   * One incarnation of one host.
   *
   * @param boot which boot of that machine's kernel
   */
  public record Holder(String host, String incarnation, String boot) {
  }

  /** What a renewal permits: everything that was inspected under its number, until it ends on the clock. */
  private record Term(long renewal, long endNanos) {
  }

  private final LeaseStore store;
  private final LeaseFile file;
  private final String lockName;
  private final LeaseRecord initial;
  private final Duration interval;
  private final BootClock clock;
  private final Scheduler scheduler;
  private final Runnable inspection;
  private final LeaseObservations observations;
  private final LeftLeases leftLeases;
  private @Nullable Task task;
  /** Used by the task, and by whoever closes once it has ended. */
  private LeaseStore.@Nullable Lock lock;
  private LeaseRecord record;
  private boolean troubled;
  /** Renewals that are on storage; written by the task. */
  private volatile long renewals;
  /** Null: never held, or lost. */
  private volatile @Nullable Term term;
  private volatile boolean lost;
  private volatile boolean closed;

  /**
   * A lease that is not held before it was {@linkplain #start() started}.
   *
   * @param duration at most an hour; how long others wait for this host once it is silent
   * @param interval between renewals
   * @param clock one that runs through suspend
   * @param inspection reads the marks on disks and withdraws what another host is to have, without waiting for any disk; run
   *     at each renewal, after others can see it and before it lets anybody here write
   */
  public StorageLease(LeaseStore store, Holder holder, Duration duration, Duration interval, BootClock clock,
      Scheduler scheduler, Runnable inspection) {
    this.store = store;
    this.file = hostFile(store, holder.host());
    this.lockName = lockName(holder.host());
    this.initial = new LeaseRecord(LeaseRecord.State.HELD, "", holder.host(), holder.incarnation(), holder.boot(), 0,
        "", 1, duration);
    this.record = initial;
    this.interval = interval;
    this.clock = clock;
    this.scheduler = scheduler;
    this.inspection = inspection;
    this.observations = new LeaseObservations(clock);
    this.leftLeases = new LeftLeases(scheduler);
  }

  static String lockName(String host) {
    return "host-" + host + ".lock";
  }

  /** How long a lease is watched that is not renewed until it has surely run out. */
  static Duration waitedOut(Duration lease) {
    return lease.plus(lease.dividedBy(10));
  }

  /** See {@link LeaseObservations#unchangedNanos}. */
  long unchangedNanos(LeaseRecord read, long begunNanos) {
    return observations.unchangedNanos(read, begunNanos);
  }

  /** Whether that host's lease was read here. */
  boolean hasSeen(String host) {
    return observations.hasSeen(host);
  }

  long nanos() {
    return clock.nanos();
  }

  static LeaseFile hostFile(LeaseStore store, String host) {
    return new LeaseFile(store, hostFileName(host));
  }

  private static String hostFileName(String host) {
    return "host-" + host + ".lease";
  }

  /** Names of the leases of all hosts but one. */
  static List<String> othersLeases(LeaseStore store, String host) throws IOException {
    return store.names().stream().filter(each -> each.startsWith("host-") && each.endsWith(".lease"))
        .filter(each -> !each.equals(hostFileName(host))).toList();
  }

  /** Begins to hold the lease, once. */
  public void start() {
    task = scheduler.startBlocking("storage-lease", this::run);
  }

  /** Whether guests of this host may run and write right now. */
  public boolean isLive() {
    return liveRenewal() != 0;
  }

  /** The number of the renewal that permits right now; 0 if none does. */
  long liveRenewal() {
    Term now = term;
    return now != null && !closed && clock.nanos() - now.endNanos < 0 ? now.renewal : 0;
  }

  /** The number of the newest renewal that others can see; it may permit nothing yet. */
  long renewals() {
    return renewals;
  }

  /**
   * Waits until the lease is live, as it is soon after the start.
   *
   * @throws DiskException if it is not within the given time
   */
  public void awaitLive(Duration atMost) throws DiskException, InterruptedException {
    long start = clock.nanos();
    while (!isLive()) {
      if (clock.nanos() - start > atMost.toNanos()) {
        throw new DiskException("host %s does not hold its lease on the storage; see its agent's log".formatted(
            initial.host()));
      }
      scheduler.sleep(POLL);
    }
  }

  /** Whether another incarnation of this host has the lease, for good. */
  public boolean isLost() {
    return lost;
  }

  Holder holder() {
    return new Holder(initial.host(), initial.incarnation(), initial.boot());
  }

  /** Of disks that this host has open no more. */
  LeftLeases leftLeases() {
    return leftLeases;
  }

  Duration duration() {
    return initial.duration();
  }

  private void run() {
    try {
      while (!lost && !closed) {
        attempt();
        scheduler.sleep(lock == null ? RETRY : interval);
      }
    } catch (InterruptedException e) {
      // The agent is shutting down.
    }
  }

  private void attempt() throws InterruptedException {
    try {
      if (lock == null) {
        acquire();
      } else {
        renew();
      }
      if (troubled) {
        troubled = false;
        log.info("the lease of host {} on the storage is renewed again", initial.host());
      }
    } catch (IOException | RuntimeException | Error e) {
      // Errors, too: without this task no guest of the host would ever run again.
      if (!troubled && !closed && !(e instanceof ClosedByInterruptException)) {
        troubled = true;
        log.error("the lease of host {} cannot be renewed; guests stop when it expires: {}", initial.host(),
            e instanceof IOException io ? StorageFiles.reason(io) : e.toString());
      }
    }
  }

  private void acquire() throws IOException, InterruptedException {
    Optional<LeaseStore.Lock> free = store.tryLock(lockName);
    if (free.isEmpty()) {
      throw new DiskException("%s/%s is locked: another agent of this name uses this storage".formatted(store,
          lockName));
    }
    boolean acquired = false;
    try {
      Optional<LeaseRecord> before = file.read();
      if (before.isPresent() && before.get().state() == LeaseRecord.State.HELD
          && !before.get().isOfLife(initial.incarnation()) && !before.get().boot().equals(initial.boot())) {
        // Not of this kernel, whose locks tell: that incarnation may be running on another machine.
        // From now on: nothing that it would see was marked for it before.
        awaitExpiry(before.get(), new LeaseObservations(clock));
      }
      write(new LeaseRecord(initial.state(), initial.vm(), initial.host(), initial.incarnation(), initial.boot(), 0, "",
          before.map(LeaseRecord::counter).orElse(0L) + 1, initial.duration()), clock.nanos());
      lock = free.get();
      acquired = true;
    } finally {
      if (!acquired) {
        free.get().close();
      }
    }
  }

  private void renew() throws IOException {
    // Before the look at whose it is: a freeze in between counts.
    long begun = clock.nanos();
    Optional<LeaseRecord> now = file.read();
    if (now.isPresent() && !now.get().isOfLife(initial.incarnation())) {
      lost = true;
      term = null;
      log.error("the lease of host {} is another incarnation's by now ({}); no guest runs here any more",
          initial.host(), now.get().incarnation());
      return;
    }
    write(record.renewed(), begun);
  }

  private void write(LeaseRecord next, long begun) throws IOException {
    // Ahead of the write, which may fail and be there all the same: no two renewals have the same number.
    record = next;
    file.write(next);
    long renewal = renewals + 1;
    renewals = renewal;
    try {
      inspection.run();
    } catch (RuntimeException | Error e) {
      // What was not inspected under this number is not permitted by it; everything else is.
      log.error("disks were not inspected: {}", e.toString());
    }
    term = new Term(renewal, begun + next.duration().toNanos());
  }

  /**
   * Waits until an incarnation of a host has surely lost what it held: it released its host's lease, another incarnation has
   * that, or it was not renewed for its duration and a tenth. Where it was looked at before, it has been waited for since then: whoever
   * calls this has marked what that one held, so that a renewal which is not seen here sees the marks.
   *
   * @param held what it held, or its host's lease
   * @throws DiskException if that lease is being renewed: that host lives
   */
  void awaitExpiry(LeaseRecord held) throws IOException, InterruptedException {
    awaitExpiry(held, observations);
  }

  private void awaitExpiry(LeaseRecord held, LeaseObservations seen) throws IOException, InterruptedException {
    LeaseFile hostLease = hostFile(store, held.host());
    Duration duration = held.duration();
    long start = clock.nanos();
    long waitNanos = waitedOut(duration).toNanos();
    // A file that is not there and then is was renewed, too.
    Optional<Long> first = hostLease.read().map(LeaseRecord::counter);
    while (true) {
      long begun = clock.nanos();
      Optional<LeaseRecord> now = hostLease.read();
      if (now.isPresent()
          && (!now.get().isOfLife(held.incarnation()) || now.get().state() == LeaseRecord.State.RELEASED)) {
        return;
      }
      if (now.isPresent() && !now.map(LeaseRecord::counter).equals(first)) {
        throw new DiskException("host %s (incarnation %s) is alive: it renews its lease %s".formatted(now.get().host(),
            held.incarnation(), hostLease));
      }
      long waited = now.isPresent() ? seen.unchangedNanos(now.get(), begun) : begun - start;
      if (waited >= waitNanos) {
        return;
      }
      scheduler.sleep(Duration.ofNanos(Math.min(RETRY.toNanos(), duration.toNanos() / 10)));
    }
  }

  /** Gives the lease up; no guest of this host runs any more. */
  @Override
  public void close() throws InterruptedException {
    close(true);
  }

  /** Lets the lease expire, and keeps it locked until this process is gone: something of it may still be in flight. */
  void abandon() throws InterruptedException {
    close(false);
  }

  private void close(boolean release) throws InterruptedException {
    closed = true;
    if (task != null) {
      task.interrupt();
      if (!task.join(CLOSING)) {
        log.warn("the storage does not answer; the lease of host {} is not given up, it expires", initial.host());
        return;
      }
    }
    if (release && lock != null) {
      try (LeaseStore.Lock held = lock) {
        // Where it is another incarnation's, a word in it would tell others that that one is gone.
        if (file.read().filter(now -> now.isOfLife(initial.incarnation())).isPresent()) {
          file.write(record.released(""));
        }
      } catch (IOException e) {
        log.warn("the lease of host {} was not given up, it expires: {}", initial.host(), StorageFiles.reason(e));
      }
      lock = null;
    }
  }
}
