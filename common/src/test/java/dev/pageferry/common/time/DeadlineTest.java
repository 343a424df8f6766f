package dev.pageferry.common.time;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

final class DeadlineTest {
  /** Two seconds before the clock's numbers wrap around. */
  private final AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 2_000_000_000L);
  private final Ticker ticker = nanos::get;

  @Test
  void aDeadlinePassesWhenItsTimeIsUpEvenAcrossTheClocksWrapAround() {
    Deadline deadline = Deadline.after(Duration.ofSeconds(3), ticker);
    assertThat(deadline.remainingNanos()).isEqualTo(3_000_000_000L);

    nanos.addAndGet(2_999_999_999L);
    assertThat(deadline.hasPassed()).isFalse();
    assertThat(deadline.remainingNanos()).isEqualTo(1);

    nanos.addAndGet(1);
    assertThat(deadline.hasPassed()).isTrue();
    nanos.addAndGet(5_000_000_000L);
    assertThat(deadline.remainingNanos()).isZero();
  }

  @Test
  void theEarlierOfTwoDeadlinesCounts() {
    Deadline deadline = Deadline.after(Duration.ofSeconds(3), ticker);

    assertThat(deadline.orAfter(Duration.ofSeconds(4)).remainingNanos()).isEqualTo(3_000_000_000L);
    assertThat(deadline.orAfter(Duration.ofSeconds(1)).remainingNanos()).isEqualTo(1_000_000_000L);
  }

  @Test
  void secondsArePassedTime() {
    long earlier = ticker.nanos();
    nanos.addAndGet(2_500_000_000L);

    assertThat(ticker.secondsSince(earlier)).isEqualTo(2.5);
  }
}
