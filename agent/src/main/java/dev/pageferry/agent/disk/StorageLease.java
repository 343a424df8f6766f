package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This host's lease on the shared storage: what lets its guests run and write. Renewed by a thread of its own, and live
 * until its duration has passed since a renewal was <em>begun</em>, on a clock that runs through suspend. So a host that
 * was frozen finds it expired when it wakes up, and one that lost its storage stops its guests; a coordinator that is away
 * stops nobody. (The same two levels, a lease per host and one per disk that names the host's, are sanlock's.)
 *
 * <p>Others who want what this host held wait until they have seen no renewal for the duration and a tenth, on clocks of
 * their own: safe as long as no clock runs more than a tenth faster or slower than another.
 */
public final class StorageLease implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(StorageLease.class);
  private static final Duration POLL = Duration.ofMillis(10);
  private static final Duration RETRY = Duration.ofMillis(200);

  /**
   * One life of one host.
   *
   * @param boot which boot of that machine's kernel
   */
  record Holder(String host, String incarnation, String boot) {
  }

  private final LeaseFile file;
  private final Path lockPath;
  private final LeaseRecord initial;
  private final Duration interval;
  private final BootClock clock;
  private final Runnable inspection;
  private final Thread thread;
  /** Used by the thread, and by whoever closes once it has ended. */
  private @Nullable LockFile lock;
  private LeaseRecord record;
  private boolean troubled;
  /** On the clock; 0: never held. */
  private volatile long endNanos;
  private volatile boolean lost;

  /**
   * @param inspection closes disks that another host was given meanwhile; run at each renewal, after others can see it and
   *     before it lets anybody here write
   */
  StorageLease(Path leases, Holder holder, Duration duration, Duration interval, BootClock clock,
      Runnable inspection) {
    this.file = hostFile(leases, holder.host());
    this.lockPath = leases.resolve("host-" + holder.host() + ".lock");
    this.initial = new LeaseRecord(LeaseRecord.State.HELD, "", holder.host(), holder.incarnation(), holder.boot(), 0,
        "", 1, duration);
    this.record = initial;
    this.interval = interval;
    this.clock = clock;
    this.inspection = inspection;
    this.thread = Thread.ofPlatform().daemon().name("storage-lease").unstarted(this::run);
  }

  static LeaseFile hostFile(Path leases, String host) {
    return new LeaseFile(leases.resolve("host-" + host + ".lease"));
  }

  void start() {
    thread.start();
  }

  /** Whether guests of this host may run and write right now. */
  public boolean isLive() {
    return endNanos != 0 && clock.nanos() - endNanos < 0;
  }

  /**
   * Waits until the lease is live, as it is soon after the start.
   *
   * @throws DiskException if it is not within the given time
   */
  void awaitLive(Duration atMost) throws DiskException, InterruptedException {
    long start = clock.nanos();
    while (!isLive()) {
      if (clock.nanos() - start > atMost.toNanos()) {
        throw new DiskException("host %s does not hold its lease on the storage; see its agent's log".formatted(
            initial.host()));
      }
      TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
    }
  }

  /** Whether another life of this host has the lease, for good. */
  public boolean isLost() {
    return lost;
  }

  Holder holder() {
    return new Holder(initial.host(), initial.incarnation(), initial.boot());
  }

  Duration duration() {
    return initial.duration();
  }

  private void run() {
    try {
      while (!lost) {
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
        } catch (ClosedByInterruptException e) {
          return;
        } catch (IOException | RuntimeException e) {
          if (!troubled) {
            troubled = true;
            log.error("the lease of host {} cannot be renewed; guests stop when it expires: {}", initial.host(),
                e.toString());
          }
        }
        TimeUnit.NANOSECONDS.sleep((lock == null ? RETRY : interval).toNanos());
      }
    } catch (InterruptedException e) {
      // The agent is shutting down.
    }
  }

  private void acquire() throws IOException, InterruptedException {
    Optional<LockFile> free = LockFile.tryLock(lockPath);
    if (free.isEmpty()) {
      throw new DiskException("%s is locked: another agent of this name uses this storage".formatted(lockPath));
    }
    boolean acquired = false;
    try {
      Optional<LeaseRecord> before = file.read();
      if (before.isPresent() && before.get().state() == LeaseRecord.State.HELD
          && !before.get().isOfLife(initial.incarnation()) && !before.get().boot().equals(initial.boot())) {
        // Not of this kernel, whose locks tell: that life may be running on another machine.
        awaitExpiry(file, before.get().incarnation(), before.get().duration(), clock);
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
      endNanos = 0;
      log.error("the lease of host {} is another life's by now ({}); no guest runs here any more", initial.host(),
          now.get().incarnation());
      return;
    }
    write(record.renewed(), begun);
  }

  private void write(LeaseRecord next, long begun) throws IOException {
    file.write(next);
    record = next;
    inspection.run();
    endNanos = begun + next.duration().toNanos();
  }

  /**
   * Waits until a life of a host has surely lost what it held: it released its lease, another life has it, or it was not
   * renewed for its duration and a tenth.
   *
   * @throws DiskException if it is being renewed: that host lives
   */
  static void awaitExpiry(LeaseFile hostLease, String incarnation, Duration duration, BootClock clock)
      throws IOException, InterruptedException {
    long start = clock.nanos();
    long waitNanos = duration.toNanos() + duration.toNanos() / 10;
    Optional<LeaseRecord> first = hostLease.read();
    while (true) {
      Optional<LeaseRecord> now = hostLease.read();
      if (now.isPresent()
          && (!now.get().isOfLife(incarnation) || now.get().state() == LeaseRecord.State.RELEASED)) {
        return;
      }
      if (now.isPresent() && first.isPresent() && now.get().counter() != first.get().counter()) {
        throw new DiskException("host %s (incarnation %s) is alive: it renews its lease %s".formatted(now.get().host(),
            incarnation, hostLease));
      }
      if (clock.nanos() - start >= waitNanos) {
        return;
      }
      TimeUnit.NANOSECONDS.sleep(Math.min(RETRY.toNanos(), duration.toNanos() / 10));
    }
  }

  /** Gives the lease up; no guest of this host runs any more. */
  @Override
  public void close() throws InterruptedException {
    thread.interrupt();
    thread.join();
    endNanos = 0;
    if (lock != null) {
      try {
        file.write(record.released(""));
        lock.close();
      } catch (IOException e) {
        log.warn("the lease of host {} was not given up, it expires: {}", initial.host(), e.getMessage());
      }
      lock = null;
    }
  }
}
