package dev.pageferry.common.time;

/** A monotonic clock. Tests move it by hand. */
@FunctionalInterface
public interface Ticker {
  /** The clock of this process, {@link System#nanoTime()}. */
  Ticker SYSTEM = System::nanoTime;

  /** Nanoseconds since an arbitrary origin; compare by difference only. */
  long nanos();

  /** Seconds that passed since an earlier reading. */
  default double secondsSince(long earlierNanos) {
    return (nanos() - earlierNanos) / 1e9;
  }
}
