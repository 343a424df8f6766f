package dev.pageferry.agent.migration.source;

import dev.pageferry.common.migration.MigrationLimits;
import java.time.Duration;

/**
 * What the operator asked for.
 *
 * @param downtimeLimit ceiling of the expected blackout
 * @param maxBytesPerSecond page frames over all streams; 0: unlimited
 * @param streams data streams, 1 to {@link MigrationLimits#MAX_STREAMS}
 * @param timeout the attempt ends if commit has not been asked by then
 * @param verifyRam whether both hosts hash all of RAM, and compare, while the guest is paused
 */
public record SourceOptions(Duration downtimeLimit, long maxBytesPerSecond, int streams, OnStall onStall,
    Duration timeout, boolean verifyRam) {
  /** Pages are compared as they were sent, and RAM is not hashed besides. */
  public SourceOptions(Duration downtimeLimit, long maxBytesPerSecond, int streams, OnStall onStall,
      Duration timeout) {
    this(downtimeLimit, maxBytesPerSecond, streams, onStall, timeout, false);
  }

  /** What to do when rounds no longer shrink the rest and the expected blackout exceeds the limit. */
  public enum OnStall {
    /** Hold the vCPUs back, more with every step, until rounds shrink again. */
    THROTTLE,
    /** Switch over all the same. */
    SWITCH,
    /** End the attempt and say why. */
    ABORT
  }

  public SourceOptions {
    if (streams < 1 || streams > MigrationLimits.MAX_STREAMS) {
      throw new IllegalArgumentException(
          "%d streams are not between 1 and %d".formatted(streams, MigrationLimits.MAX_STREAMS));
    }
    if (maxBytesPerSecond < 0 || downtimeLimit.isNegative() || !timeout.isPositive()) {
      throw new IllegalArgumentException(
          "bandwidth %d, downtime limit %s or time-out %s is out of range".formatted(maxBytesPerSecond,
              downtimeLimit, timeout));
    }
  }
}
