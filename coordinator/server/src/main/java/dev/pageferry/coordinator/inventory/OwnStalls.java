package dev.pageferry.coordinator.inventory;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.time.Ticker;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * This process's own stalls. While it was stopped, starved or collecting garbage it heard nobody, which says nothing of the
 * others: their silence counts from its waking. A machine that is suspended stops the clock, and so no silence is counted
 * either. Not safe for threads: its owner guards it.
 */
final class OwnStalls {
  /** How often this process says to itself that it runs. */
  static final Duration TICK = Duration.ofMillis(200);
  /** A tick that is later than that: it did not run. */
  static final Duration LATE = Duration.ofSeconds(1);

  private final Ticker ticker;
  private @Nullable Long lastAwakeNanos;
  private long awakeSinceNanos;

  /**
   * The time of one look.
   *
   * @param stalledAtNanos when this process was last known to run, if this is the first look after a stall
   */
  record Look(long nowNanos, @Nullable Long stalledAtNanos) {
  }

  OwnStalls(Ticker ticker) {
    this.ticker = ticker;
    this.awakeSinceNanos = ticker.nanos();
  }

  /** Ticks again and again, until the task is interrupted. */
  static Task notice(Scheduler scheduler, Runnable tick) {
    tick.run();
    return scheduler.start("own-stalls", () -> {
      try {
        while (true) {
          scheduler.sleep(TICK);
          tick.run();
        }
      } catch (InterruptedException e) {
        // The coordinator ends.
      }
    });
  }

  /** From the first tick on stalls are noticed. */
  void begin() {
    if (lastAwakeNanos == null) {
      lastAwakeNanos = ticker.nanos();
    }
  }

  /**
   * The clock, for a judgement of somebody's silence. Each such look finds a stall by itself: of the threads that wake, one
   * that judges may come before the one that ticks.
   */
  Look look() {
    long now = ticker.nanos();
    Long last = lastAwakeNanos;
    if (last == null) {
      return new Look(now, null);
    }
    lastAwakeNanos = now;
    if (now - last <= TICK.plus(LATE).toNanos()) {
      return new Look(now, null);
    }
    awakeSinceNanos = now;
    return new Look(now, last);
  }

  /** When this process started, or woke last. */
  long awakeSinceNanos() {
    return awakeSinceNanos;
  }
}
