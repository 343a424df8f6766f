package dev.pageferry.common.concurrent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class SystemSchedulerTest {
  private static final Duration LONG = Duration.ofSeconds(30);
  private final Scheduler scheduler = Scheduler.SYSTEM;

  @Test
  void aTaskThatWaitsSeesTheChangeThatWasMadeBeforeTheRaise() throws Exception {
    Signal signal = scheduler.newSignal();
    AtomicInteger value = new AtomicInteger();
    AtomicInteger seen = new AtomicInteger();
    Task task = scheduler.start("waits", () -> {
      for (int i = 1; i <= 1000; i++) {
        int expected = i;
        try {
          signal.await(() -> value.get() >= expected);
        } catch (InterruptedException e) {
          return;
        }
        seen.incrementAndGet();
      }
    });
    for (int i = 0; i < 1000; i++) {
      value.incrementAndGet();
      signal.raise();
    }
    assertThat(task.join(LONG)).isTrue();
    assertThat(seen).hasValue(1000);
  }

  @Test
  void aWaitEndsWhenItsTimeIsOver() throws Exception {
    assertThat(scheduler.newSignal().await(() -> false, Duration.ofMillis(1))).isFalse();
  }

  @Test
  void anInterruptEndsAWait() throws Exception {
    Signal signal = scheduler.newSignal();
    Promise<String> end = scheduler.newPromise();
    Task task = scheduler.start("waits", () -> {
      try {
        signal.await(() -> false);
      } catch (InterruptedException e) {
        end.complete("interrupted");
      }
    });
    task.interrupt();
    assertThat(end.await(LONG)).contains("interrupted");
  }

  @Test
  void anInterruptThatATaskHasClearedEndsNoWait() throws Exception {
    Promise<Boolean> end = scheduler.newPromise();
    var unused = scheduler.start("clears", () -> {
      try {
        scheduler.current().interrupt();
        boolean wasInterrupted = scheduler.current().clearInterrupt();
        scheduler.sleep(Duration.ofMillis(1));
        end.complete(wasInterrupted && !scheduler.current().clearInterrupt());
      } catch (InterruptedException e) {
        end.complete(false);
      }
    });
    assertThat(end.await(LONG)).contains(true);
  }

  @Test
  void aTaskDoesNotClearTheInterruptOfAnother() throws Exception {
    Task other = scheduler.start("other", () -> {
    });
    assertThatThrownBy(other::clearInterrupt).isInstanceOf(IllegalStateException.class);
    assertThat(other.join(LONG)).isTrue();
  }

  @Test
  void oneTaskAtATimeIsInsideAMutex() throws Exception {
    Mutex mutex = scheduler.newMutex();
    AtomicInteger inside = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    Runnable body = () -> {
      try {
        for (int i = 0; i < 200; i++) {
          int unused = mutex.alone(() -> {
            most.accumulateAndGet(inside.incrementAndGet(), Math::max);
            Thread.yield();
            return inside.decrementAndGet();
          });
        }
      } catch (InterruptedException e) {
        most.set(-1);
      }
    };
    Task first = scheduler.start("first", body);
    Task second = scheduler.start("second", body);
    assertThat(first.join(LONG) && second.join(LONG)).isTrue();
    assertThat(most).hasValue(1);
  }

  @Test
  void aMutexIsFreeAfterAFailureInside() throws Exception {
    Mutex mutex = scheduler.newMutex();
    assertThatThrownBy(() -> mutex.alone(() -> {
      throw new IllegalStateException("inside");
    })).hasMessage("inside");
    assertThat((String) mutex.alone(() -> "free")).isEqualTo("free");
  }

  @Test
  void theFirstWordOfAPromiseCounts() throws Exception {
    Promise<String> promise = scheduler.newPromise();
    assertThat(promise.await(Duration.ZERO)).isEmpty();
    promise.fail(new IllegalStateException("first"));
    promise.complete("second");
    assertThat(promise.await(LONG)).isEmpty();
    assertThat(promise.failure()).hasValueSatisfying(cause -> assertThat(cause).hasMessage("first"));
  }

  @Test
  void waitsGrowToTheLongestAndBeginAnewAfterASuccess() {
    Backoff backoff = new Backoff(Duration.ofMillis(20), Duration.ofSeconds(1), new Random(1));
    for (long longest : new long[]{20, 40, 80, 160, 320, 640, 1000, 1000}) {
      assertThat(backoff.next()).isBetween(Duration.ofMillis(longest / 2), Duration.ofMillis(longest));
    }
    backoff.reset();
    assertThat(backoff.next()).isLessThanOrEqualTo(Duration.ofMillis(20));
  }

  @Test
  void randomIdsAreUuidsOfVersionFourAndRepeatWithTheSeed() {
    Set<String> ids = new HashSet<>();
    Random random = new Random(7);
    for (int i = 0; i < 1000; i++) {
      UUID id = UUID.fromString(RandomIds.uuid(random));
      assertThat(id.version()).isEqualTo(4);
      assertThat(id.variant()).isEqualTo(2);
      ids.add(id.toString());
    }
    assertThat(ids).hasSize(1000).contains(RandomIds.uuid(new Random(7)));
  }
}
