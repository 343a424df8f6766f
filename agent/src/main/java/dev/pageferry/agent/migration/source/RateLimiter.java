package dev.pageferry.agent.migration.source;

import dev.pageferry.common.time.Ticker;

/** Keeps the sum over all streams at a number of bytes per second. Any thread may ask. */
final class RateLimiter {
  /** Longest credit that an idle spell earns. */
  private static final long BURST_NANOS = 5_000_000;

  private final Ticker ticker;
  private final double nanosPerByte;
  /** When all bytes granted so far will have been paid for. */
  private long paidAtNanos;

  /** @param bytesPerSecond 0: unlimited */
  RateLimiter(long bytesPerSecond, Ticker ticker) {
    this.ticker = ticker;
    this.nanosPerByte = bytesPerSecond == 0 ? 0 : 1e9 / bytesPerSecond;
    this.paidAtNanos = ticker.nanos();
  }

  /** Whether there is a limit. */
  boolean isCapped() {
    return nanosPerByte != 0;
  }

  /** The cap; infinite without one. */
  double bytesPerSecond() {
    return isCapped() ? 1e9 / nanosPerByte : Double.POSITIVE_INFINITY;
  }

  /** Nanoseconds until more may be sent; 0: now. */
  synchronized long waitNanos() {
    return isCapped() ? Math.max(0, paidAtNanos - ticker.nanos()) : 0;
  }

  /** Counts bytes that are about to be sent. */
  synchronized void spend(long bytes) {
    if (isCapped()) {
      paidAtNanos = Math.max(paidAtNanos, ticker.nanos() - BURST_NANOS) + (long) (bytes * nanosPerByte);
    }
  }
}
