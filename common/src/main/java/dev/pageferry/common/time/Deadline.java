package dev.pageferry.common.time;

import java.time.Duration;

/** A moment by which something must have happened. */
public final class Deadline {
  private final Ticker ticker;
  private final long atNanos;

  private Deadline(Ticker ticker, long atNanos) {
    this.ticker = ticker;
    this.atNanos = atNanos;
  }

  public static Deadline after(Duration duration, Ticker ticker) {
    return new Deadline(ticker, ticker.nanos() + duration.toNanos());
  }

  /** Nanoseconds left, 0 when passed. */
  public long remainingNanos() {
    return Math.max(0, atNanos - ticker.nanos());
  }

  public boolean hasPassed() {
    return remainingNanos() == 0;
  }

  /** The earlier of this deadline and one that ends after the given duration from now. */
  public Deadline orAfter(Duration duration) {
    long other = ticker.nanos() + duration.toNanos();
    return other - atNanos < 0 ? new Deadline(ticker, other) : this;
  }
}
