package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Deadline;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/**
 * Makes safe what a guest wrote to its disks, on a task of its own: storage that hangs holds up whoever waits for this, and
 * only for as long as he wants to. Left alone it ends when the storage answers; disks are not closed before.
 */
final class DiskFlush {
  /** How soon an attempt that was ended is noticed. */
  private static final Duration CHECKPOINT_INTERVAL = Duration.ofMillis(100);

  private final Attempt attempt;
  private final Promise<Boolean> flushed;

  private DiskFlush(Attempt attempt, Promise<Boolean> flushed) {
    this.attempt = attempt;
    this.flushed = flushed;
  }

  /** One that is over. */
  static DiskFlush ofNothing(Attempt attempt, Scheduler scheduler) {
    Promise<Boolean> flushed = scheduler.newPromise();
    flushed.complete(true);
    return new DiskFlush(attempt, flushed);
  }

  /** Begins. */
  static DiskFlush start(Guest guest, Attempt attempt, Scheduler scheduler) {
    if (guest.spec().disks().isEmpty()) {
      return ofNothing(attempt, scheduler);
    }
    Promise<Boolean> flushed = scheduler.newPromise();
    Task _ = scheduler.startBlocking("flush-" + guest.spec().name(), () -> flush(guest, flushed));
    return new DiskFlush(attempt, flushed);
  }

  private static void flush(Guest guest, Promise<Boolean> flushed) {
    try {
      guest.flushDisks();
      flushed.complete(true);
    } catch (IOException | RuntimeException | Error e) {
      flushed.fail(e);
    }
  }

  /**
   * Waits for its end.
   *
   * @return whether it was over by then
   * @throws MigrationFailure if the disks could not be flushed, or the attempt was ended meanwhile
   */
  boolean isOverBy(Deadline deadline) throws MigrationFailure, InterruptedException {
    while (flushed.await(slice(deadline)).isEmpty()) {
      Optional<Throwable> failure = flushed.failure();
      if (failure.isPresent()) {
        throw new MigrationFailure.Stopped(FailureCode.DISKS_UNAVAILABLE, reason(failure.get()));
      }
      attempt.checkpoint();
      if (deadline.hasPassed()) {
        return false;
      }
    }
    return true;
  }

  /** Waits for its end for as long as the attempt may go on. */
  void awaitEnd() throws MigrationFailure, InterruptedException {
    while (!isOverBy(attempt.deadline())) {
      attempt.checkpoint();
    }
  }

  private static Duration slice(Deadline deadline) {
    return Duration.ofNanos(deadline.orAfter(CHECKPOINT_INTERVAL).remainingNanos());
  }

  private static String reason(Throwable failure) {
    return failure instanceof IOException e ? IoFailure.sentence(e) : failure.toString();
  }
}
