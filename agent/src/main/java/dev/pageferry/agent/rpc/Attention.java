package dev.pageferry.agent.rpc;

import dev.pageferry.common.time.Ticker;
import java.time.Duration;

/**
 * Whether this host has asked the coordinator lately, and was not told that it is none. Counted from before each question, on a
 * clock that runs on while the machine is suspended: wherever in between a host is frozen, it wakes inattentive, and stays so
 * until it was answered.
 */
final class Attention {
  /** Longer than two calls that are not answered, shorter than any lease. */
  static final Duration LASTS = Duration.ofSeconds(6);

  private final Ticker bootClock;
  /** Valid while not {@link #isDenied}; written by the one task that asks. */
  private volatile long askedNanos;
  private volatile boolean isDenied;

  Attention(Ticker bootClock) {
    this.bootClock = bootClock;
    this.askedNanos = bootClock.nanos();
  }

  boolean holds() {
    return !isDenied && isRecent(bootClock.nanos());
  }

  private boolean isRecent(long nowNanos) {
    return nowNanos - askedNanos < LASTS.toNanos();
  }

  /** The coordinator took this host for a host. */
  void answered(long sentNanos) {
    askedNanos = sentNanos;
    isDenied = false;
  }

  /**
   * The coordinator did not answer, which takes nothing away from a host that was attentive when it asked. One that was not has
   * perhaps been replaced while it was frozen, and only an answer can say.
   */
  void unanswered(long sentNanos) {
    if (isRecent(sentNanos)) {
      askedNanos = sentNanos;
    }
  }

  /** The coordinator does not take this host for one, for now or for good. */
  void denied() {
    isDenied = true;
  }
}
