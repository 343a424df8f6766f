package dev.pageferry.agent.migration.source;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

final class RateLimiterTest {
  private static final long MILLISECOND = 1_000_000;

  private final AtomicLong nanos = new AtomicLong(5_000_000_000L);

  @Test
  void withoutALimitNothingWaits() {
    RateLimiter limiter = limiter(0);
    for (int i = 0; i < 100; i++) {
      limiter.spend(Long.MAX_VALUE / 200);
      assertThat(limiter.waitNanos()).isZero();
    }
  }

  @Test
  void aFreshLimiterLetsTheFirstBytesGo() {
    assertThat(limiter(1_000_000).waitNanos()).isZero();
  }

  @Test
  void bytesAreWaitedForAfterTheyWereSpent() {
    RateLimiter limiter = limiter(1_000_000);

    limiter.spend(10_000);
    assertThat(limiter.waitNanos()).isEqualTo(10 * MILLISECOND);
    limiter.spend(5_000);
    assertThat(limiter.waitNanos()).isEqualTo(15 * MILLISECOND);

    nanos.addAndGet(14 * MILLISECOND);
    assertThat(limiter.waitNanos()).isEqualTo(MILLISECOND);
    nanos.addAndGet(MILLISECOND);
    assertThat(limiter.waitNanos()).isZero();
  }

  @Test
  void anIdleSpellEarnsFiveMillisecondsAtMost() {
    RateLimiter limiter = limiter(1_000_000);
    nanos.addAndGet(3_600_000 * MILLISECOND);

    limiter.spend(5_000);
    assertThat(limiter.waitNanos()).isZero();
    limiter.spend(2_000);
    assertThat(limiter.waitNanos()).isEqualTo(2 * MILLISECOND);
  }

  @Test
  void theRateIsKeptOverManySmallSends() {
    RateLimiter limiter = limiter(100_000_000);
    long start = nanos.get();
    long sent = 0;
    while (nanos.get() - start < 1_000 * MILLISECOND) {
      if (limiter.waitNanos() == 0) {
        limiter.spend(4_113);
        sent += 4_113;
      } else {
        nanos.addAndGet(limiter.waitNanos());
      }
    }

    assertThat(sent).isBetween(100_000_000L, 100_600_000L);
  }

  @Test
  void aSenderThatIsWokenLateKeepsTheRateOnAverage() {
    RateLimiter limiter = limiter(100_000_000);
    long start = nanos.get();
    long sent = 0;
    for (int i = 0; nanos.get() - start < 1_000 * MILLISECOND; i++) {
      if (limiter.waitNanos() == 0) {
        limiter.spend(65_536);
        sent += 65_536;
      } else {
        nanos.addAndGet(limiter.waitNanos() + i % 3 * MILLISECOND);
      }
    }

    assertThat(sent).isBetween(99_000_000L, 100_600_000L);
  }

  @Test
  void streamsThatSpendAtOnceAreAllCounted() throws Exception {
    RateLimiter limiter = limiter(1_000_000);
    try (ExecutorService streams = Executors.newFixedThreadPool(4)) {
      List<Future<?>> running = new ArrayList<>();
      for (int stream = 0; stream < 4; stream++) {
        running.add(streams.submit(() -> {
          for (int i = 0; i < 1_000; i++) {
            limiter.spend(10);
          }
        }));
      }
      for (Future<?> each : running) {
        each.get();
      }
    }

    assertThat(limiter.waitNanos()).isEqualTo(40 * MILLISECOND);
  }

  private RateLimiter limiter(long bytesPerSecond) {
    return new RateLimiter(bytesPerSecond, nanos::get);
  }
}
