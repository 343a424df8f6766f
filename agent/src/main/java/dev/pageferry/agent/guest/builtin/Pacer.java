package dev.pageferry.agent.guest.builtin;

import dev.pageferry.common.time.Ticker;

/**
 * Decides when a vCPU may step: at its program's rate, and with a share of the time held back when it is throttled. For
 * the vCPU's thread only, but for {@link #throttle}.
 */
final class Pacer {
  /** A vCPU that fell behind by more than this (a busy host, a throttle) does not catch up on the rest. */
  private static final long MAX_LAG_NANOS = 100_000_000;
  /** Waking up for less than this much work costs more than it is worth. */
  private static final long QUANTUM_NANOS = 1_000_000;

  private final Ticker ticker;
  private final double stepsPerNano;
  private volatile int throttlePercent;
  /** The steps before {@link #baseNanos} are paid for. */
  private long baseNanos;
  private double stepsSinceBase;
  private long sliceStartNanos;

  Pacer(double stepsPerSecond, Ticker ticker) {
    this.stepsPerNano = stepsPerSecond / 1e9;
    this.ticker = ticker;
  }

  /** Starts anew after a pause, with one quantum in hand so that the first step does not wait. */
  void restart() {
    long now = ticker.nanos();
    // One more nanosecond, since a step that is due but for a rounding error is not due.
    baseNanos = now - Math.max(QUANTUM_NANOS, (long) Math.min(1 / stepsPerNano, 1e12) + 1);
    stepsSinceBase = 0;
    sliceStartNanos = now;
  }

  /** Percent of the time in which the vCPU must not run, 0 to 99. */
  void throttle(int percent) {
    throttlePercent = percent;
  }

  /** Steps that may be done now, at most the given number; 0: wait {@link #waitNanos()}. */
  int allowance(int most) {
    long now = ticker.nanos();
    if (throttlePercent > 0 && now - sliceStartNanos >= QUANTUM_NANOS) {
      return 0;
    }
    if (stepsPerNano == Double.POSITIVE_INFINITY) {
      return most;
    }
    forgetLag(now);
    double due = (now - baseNanos) * stepsPerNano - stepsSinceBase;
    return (int) Math.clamp(due, 0, most);
  }

  void done(int steps) {
    stepsSinceBase += steps;
  }

  /** How long to wait before asking again; also begins the next throttle slice. */
  long waitNanos() {
    long now = ticker.nanos();
    int percent = throttlePercent;
    if (percent > 0 && now - sliceStartNanos >= QUANTUM_NANOS) {
      long hold = QUANTUM_NANOS * percent / (100 - percent);
      sliceStartNanos = now + hold;
      // What is held back is not owed: a vCPU that caught up on it would write as much as an unthrottled one.
      baseNanos += hold;
      return hold;
    }
    if (stepsPerNano == Double.POSITIVE_INFINITY) {
      return 0;
    }
    double untilNext = (stepsSinceBase + 1) / stepsPerNano - (now - baseNanos);
    return Math.max(QUANTUM_NANOS, (long) untilNext + 1);
  }

  private void forgetLag(long now) {
    // Counted from when the next step was due: a program of one step a minute is not behind while it waits for it.
    double behindNanos = (now - baseNanos) - (stepsSinceBase + 1) / stepsPerNano;
    if (behindNanos > MAX_LAG_NANOS) {
      baseNanos += (long) (behindNanos - MAX_LAG_NANOS);
    }
  }
}
