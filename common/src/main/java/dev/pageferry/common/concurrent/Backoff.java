package dev.pageferry.common.concurrent;

import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * Waits between attempts: each up to twice as long as the one before, with jitter, so that those who failed together do not
 * come again together ("equal jitter": half of it fixed, half of it random). Owned by one task.
 */
public final class Backoff {
  private static final Duration FIRST = Duration.ofMillis(20);
  private static final Duration LONGEST = Duration.ofSeconds(1);

  private final Duration first;
  private final Duration longest;
  private final RandomGenerator random;
  private Duration next;

  /**
   * @param first the longest that the first wait can be
   * @param longest the longest that any can be
   */
  public Backoff(Duration first, Duration longest, RandomGenerator random) {
    if (first.isNegative() || first.isZero() || longest.compareTo(first) < 0) {
      throw new IllegalArgumentException("back-off from %s to %s".formatted(first, longest));
    }
    this.first = first;
    this.longest = longest;
    this.random = random;
    this.next = first;
  }

  /** For what goes on between the servers of a cluster: from 20 ms to a second. */
  public static Backoff withinCluster(RandomGenerator random) {
    return new Backoff(FIRST, LONGEST, random);
  }

  /** How long to wait now. */
  public Duration next() {
    long half = Math.max(1, next.toNanos() / 2);
    Duration wait = Duration.ofNanos(half + random.nextLong(half + 1));
    next = next.multipliedBy(2).compareTo(longest) < 0 ? next.multipliedBy(2) : longest;
    return wait;
  }

  /** An attempt worked: the next failure waits as the first. */
  public void reset() {
    next = first;
  }
}
