package dev.pageferry.agent.network;

import dev.pageferry.common.time.Ticker;
import java.time.Duration;

/** A clock that stands until a test moves it. It starts shortly before its numbers wrap around. */
final class SteppedTicker implements Ticker {
  private long nanos = Long.MAX_VALUE - Duration.ofSeconds(1).toNanos();

  @Override
  public long nanos() {
    return nanos;
  }

  void advance(Duration by) {
    nanos += by.toNanos();
  }
}
