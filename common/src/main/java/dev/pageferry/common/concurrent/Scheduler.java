package dev.pageferry.common.concurrent;

import dev.pageferry.common.time.Ticker;
import java.time.Duration;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * Where code gets its threads, its time and its waiting from. Code that takes all three from here runs unchanged in a
 * deterministic simulation, where one task runs at a time and each call that can block hands the baton on.
 *
 * <p>None of the blocking calls of a scheduler, or of what it makes, may be made while holding a Java monitor: in the
 * simulation the task that is to go on next might want that monitor.
 */
public interface Scheduler extends Ticker {
  /** The machine's own threads and clocks. */
  Scheduler SYSTEM = new SystemScheduler();

  /** Milliseconds since 1970-01-01 UTC, for people to read; durations are measured by {@link #nanos()}. */
  long wallMillis();

  /**
   * Nanoseconds of a clock that runs on while the machine is suspended (CLOCK_BOOTTIME), from an arbitrary origin: for what
   * others count on, as leases. The scheduler of the system has no such clock of its own and gives {@link #nanos()}.
   */
  default long bootNanos() {
    return nanos();
  }

  void sleep(Duration duration) throws InterruptedException;

  /** Starts a task on a virtual thread of its own. */
  Task start(String name, Runnable body);

  /**
   * Starts a task on a platform thread, a daemon: for what calls storage, which may hang, and would hold the carrier of a
   * virtual thread meanwhile.
   */
  Task startBlocking(String name, Runnable body);

  /** The calling task. */
  Task current();

  Signal newSignal();

  /**
   * A lock that many share or one has alone, which may be kept while its holder waits. Only {@code lock} and {@code unlock} are
   * to be used, and by one task at a time once.
   */
  default ReadWriteLock newReadWriteLock() {
    return new ReentrantReadWriteLock();
  }

  default Mutex newMutex() {
    return new Mutex(newSignal());
  }

  default <T> Promise<T> newPromise() {
    return new Promise<>(newSignal());
  }
}
