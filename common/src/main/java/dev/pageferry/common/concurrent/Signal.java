package dev.pageferry.common.concurrent;

import java.time.Duration;
import java.util.function.BooleanSupplier;

/**
 * Lets tasks wait until something that others change is as they need it (an event count). Whoever changes it makes the
 * change visible first, then calls {@link #raise()}; those who wait check again. No wake-up is lost in between.
 */
public interface Signal {
  /** As long as a wait can be. */
  Duration FOR_EVER = Duration.ofNanos(Long.MAX_VALUE / 2);

  /**
   * Waits until the condition holds.
   *
   * @param condition looked at by the calling task, without any lock held
   * @return false if it does not within the given time
   */
  boolean await(BooleanSupplier condition, Duration atMost) throws InterruptedException;

  default void await(BooleanSupplier condition) throws InterruptedException {
    while (!await(condition, FOR_EVER)) {
      // For ever is long, and over sometimes.
      continue;
    }
  }

  /** Wakes all who wait, so that they check again. Does not block; may be called anywhere. */
  void raise();
}
