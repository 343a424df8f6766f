package dev.pageferry.agent.guest.builtin;

import dev.pageferry.common.time.Ticker;
import java.util.concurrent.atomic.AtomicLong;

/** A clock that stands until it is moved. */
final class ManualTicker implements Ticker {
  private final AtomicLong nanos = new AtomicLong(1_000_000_000_000L);

  @Override
  public long nanos() {
    return nanos.get();
  }

  void advance(long byNanos) {
    nanos.addAndGet(byNanos);
  }

  void advanceSeconds(double seconds) {
    advance((long) (seconds * 1e9));
  }
}
