package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.common.units.Durations;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** How long an attempt may go on, and whether an operator has ended it. Cancelling and asking for the commit exclude each other. */
final class Attempt {
  private enum Phase {
    OPEN,
    CANCELLED,
    COMMITTING,
    /** It is over: there is nothing left to cancel. */
    ENDED
  }

  private final Duration timeout;
  private final Deadline deadline;
  private final AtomicReference<Phase> phase = new AtomicReference<>(Phase.OPEN);
  private volatile @Nullable Task task;

  Attempt(Duration timeout, Ticker ticker) {
    this.timeout = timeout;
    this.deadline = Deadline.after(timeout, ticker);
  }

  /** The task that {@link #cancel()} wakes. */
  void runsOn(Task migrationTask) {
    task = migrationTask;
  }

  /** Ends the attempt unless commit has been asked. */
  synchronized boolean cancel() {
    if (!phase.compareAndSet(Phase.OPEN, Phase.CANCELLED)) {
      return phase.get() == Phase.CANCELLED;
    }
    Task sleeper = task;
    if (sleeper != null) {
      sleeper.interrupt();
    }
    return true;
  }

  /** Something with a disk: an interrupt in the middle of it would close the disk's file. */
  interface DiskWork {
    void run() throws IOException;
  }

  /**
   * Does something that must not be interrupted; a cancel that comes meanwhile takes effect right after it.
   *
   * @throws MigrationFailure if it fails, or the attempt was ended meanwhile
   */
  void uninterrupted(DiskWork work) throws MigrationFailure {
    Task current;
    synchronized (this) {
      checkpoint();
      current = task;
      task = null;
    }
    try {
      work.run();
    } catch (IOException e) {
      throw new MigrationFailure.Stopped(FailureCode.DISKS_UNAVAILABLE, IoFailure.sentence(e));
    } finally {
      synchronized (this) {
        task = current;
      }
    }
    checkpoint();
  }

  /** From here on nobody can cancel: the guest is being put back. Called by the attempt's own task. */
  synchronized void end() {
    phase.compareAndSet(Phase.OPEN, Phase.ENDED);
    Task woken = task;
    if (isCancelled() && woken != null) {
      // The wake-up may not have been needed; left standing it would close the files of disks that are opened now.
      boolean _ = woken.clearInterrupt();
    }
  }

  boolean isCancelled() {
    return phase.get() == Phase.CANCELLED;
  }

  /** Whether commit may have been asked: from then on only the ownership row's answer may let the guest go on here. */
  boolean isCommitting() {
    return phase.get() == Phase.COMMITTING;
  }

  Deadline deadline() {
    return deadline;
  }

  /** Ends the attempt here if the operator or the clock says so. */
  void checkpoint() throws MigrationFailure {
    if (isCancelled()) {
      throw cancelled();
    }
    if (deadline.hasPassed()) {
      throw timedOut();
    }
  }

  /** What the operator or the deadline ended looks like a silent peer, or a file that was closed: names what it was. */
  MigrationFailure reasonFor(MigrationFailure failure) {
    if (isCancelled()) {
      return cancelled();
    }
    return failure instanceof MigrationFailure.PeerLost && deadline.hasPassed() ? timedOut() : failure;
  }

  private MigrationFailure timedOut() {
    return new MigrationFailure.Stopped(FailureCode.TIMED_OUT,
        "the migration did not reach its commit within %s; raise --timeout"
            .formatted(Durations.format(timeout.toNanos() / 1e9)));
  }

  /** From here on nobody can cancel. */
  void beginCommit() throws MigrationFailure {
    checkpoint();
    if (!phase.compareAndSet(Phase.OPEN, Phase.COMMITTING)) {
      throw cancelled();
    }
  }

  static MigrationFailure cancelled() {
    return new MigrationFailure.Stopped(FailureCode.CANCELLED, "cancelled by the operator");
  }
}
