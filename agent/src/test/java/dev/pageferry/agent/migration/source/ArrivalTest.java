package dev.pageferry.agent.migration.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.migration.FailureCode;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ArrivalTest {
  private static final long MEBIBYTE = 1 << 20;

  private final AtomicLong left = new AtomicLong(40 * MEBIBYTE);

  @Test
  void whatIsOnItsWayToASlowDestinationIsWaitedFor() throws Exception {
    assertThat(new Arrival(() -> left.getAndAdd(-MEBIBYTE), () -> true, Scheduler.SYSTEM).await()).isTrue();
    assertThat(left.get()).isLessThanOrEqualTo(0);
  }

  @Test
  void aFewBytesAreNot() throws Exception {
    left.set(Convergence.FEW_BYTES);
    assertThat(new Arrival(left::get, () -> {
      throw new AssertionError("waits");
    }, Scheduler.SYSTEM).await()).isFalse();
  }

  @Test
  void aDestinationThatPlacesNothingIsWaitedForOnlyForAWhile() throws Exception {
    assertThat(new Arrival(left::get, () -> true, Scheduler.SYSTEM).await()).isFalse();
    assertThat(left.get()).isEqualTo(40 * MEBIBYTE);
  }

  @Test
  void aBrokenLinkOrACancelEndsTheWait() throws Exception {
    assertThat(new Arrival(left::get, () -> false, Scheduler.SYSTEM).await()).isFalse();
    Arrival cancelled = new Arrival(left::get, () -> {
      throw new MigrationFailure.Stopped(FailureCode.CANCELLED, "by the test");
    }, Scheduler.SYSTEM);
    assertThatThrownBy(cancelled::await).isInstanceOf(MigrationFailure.class);
  }
}
