package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.time.Deadline;
import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * Waits where next to nothing is left to be sent but what is on its way, to a destination that is slower than the network: a round would
 * take no time, and some that send nothing would soon look as if the guest wrote faster than they copy.
 */
final class Arrival {
  /** Between looks at what arrives. */
  private static final Duration GLANCE = Duration.ofMillis(1);
  /** A destination that places nothing for so long may not place more by itself. */
  static final Duration PATIENCE = Duration.ofSeconds(1);

  /** Whether waiting makes sense. */
  interface GoesOn {
    boolean check() throws MigrationFailure, InterruptedException;
  }

  private final LongSupplier bytesOnTheirWay;
  private final GoesOn goesOn;
  private final Scheduler scheduler;

  /** @param bytesOnTheirWay where there is more to send than a few, 0 */
  Arrival(LongSupplier bytesOnTheirWay, GoesOn goesOn, Scheduler scheduler) {
    this.bytesOnTheirWay = bytesOnTheirWay;
    this.goesOn = goesOn;
    this.scheduler = scheduler;
  }

  /**
   * Until few bytes are on their way, or none of them has arrived for a while.
   *
   * @return whether something has arrived; the guest has written meanwhile
   */
  boolean await() throws MigrationFailure, InterruptedException {
    long left = bytesOnTheirWay.getAsLong();
    long before = left;
    if (left <= Convergence.FEW_BYTES) {
      return false;
    }
    Deadline moves = Deadline.after(PATIENCE, scheduler);
    while (left > Convergence.FEW_BYTES && !moves.hasPassed() && goesOn.check()) {
      scheduler.sleep(GLANCE);
      long now = bytesOnTheirWay.getAsLong();
      moves = now < left ? Deadline.after(PATIENCE, scheduler) : moves;
      left = now;
    }
    return left < before;
  }
}
