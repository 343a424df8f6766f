package dev.pageferry.agent.guest.builtin;

import dev.pageferry.common.time.Ticker;

/** Steps per second over about the last second, from readings that callers take whenever they like. */
final class StepMeter {
  private static final long WINDOW_NANOS = 1_000_000_000;

  private final Ticker ticker;
  private long olderNanos;
  private long olderSteps;
  private long newerNanos;
  private long newerSteps;

  StepMeter(Ticker ticker, long steps) {
    this.ticker = ticker;
    olderNanos = ticker.nanos();
    olderSteps = steps;
    newerNanos = olderNanos;
    newerSteps = steps;
  }

  /** The rate from the last reading that is a window old to now. */
  synchronized double perSecond(long steps) {
    long now = ticker.nanos();
    double rate = now == olderNanos ? 0 : (steps - olderSteps) * 1e9 / (now - olderNanos);
    if (now - newerNanos >= WINDOW_NANOS) {
      olderNanos = newerNanos;
      olderSteps = newerSteps;
      newerNanos = now;
      newerSteps = steps;
    }
    return rate;
  }
}
