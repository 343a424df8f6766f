package dev.pageferry.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class OrderlyEndTest {
  private static final Duration LONG = Duration.ofSeconds(30);

  private final OrderlyEnd end = new OrderlyEnd(Scheduler.SYSTEM, LONG);
  private final List<String> ended = new CopyOnWriteArrayList<>();

  @Test
  void whatIsNotInDoubtIsReleasedWhileADoubtIsSettled() throws Exception {
    Promise<Boolean> released = Scheduler.SYSTEM.newPromise();
    end.settleAndRelease(() -> {
      // A doubt that lasts until the others are released: were they behind it, this would never end.
      assertThat(released.await(LONG)).isPresent();
      ended.add("settled");
    }, () -> {
      ended.add("released");
      released.complete(true);
    });
    ended.add("the rest");

    assertThat(ended).containsExactly("released", "settled", "the rest");
  }

  @Test
  void theRestIsNotEndedBeforeAllIsReleased() throws Exception {
    Promise<Boolean> settled = Scheduler.SYSTEM.newPromise();
    end.settleAndRelease(() -> settled.complete(true), () -> {
      assertThat(settled.await(LONG)).isPresent();
      ended.add("released");
    });
    ended.add("the rest");

    assertThat(ended).containsExactly("released", "the rest");
  }

  @Test
  void aDiskThatDoesNotAnswerKeepsNothingElseFromEnding() throws Exception {
    Promise<Boolean> never = Scheduler.SYSTEM.newPromise();
    new OrderlyEnd(Scheduler.SYSTEM, Duration.ofMillis(10)).settleAndRelease(() -> ended.add("settled"),
        () -> {
          boolean unused = never.await(LONG).isPresent();
        });

    assertThat(ended).containsExactly("settled");
    never.complete(true);
  }

  @Test
  void whatIsNotInDoubtIsReleasedEvenIfTheSettlingFails() {
    assertThatThrownBy(() -> end.settleAndRelease(() -> {
      throw new IllegalStateException("by the test");
    }, () -> ended.add("released"))).hasMessage("by the test");

    assertThat(ended).containsExactly("released");
  }

  @Test
  void aReleaseThatFailsKeepsTheRestFromNothing() throws Exception {
    end.release(() -> {
      throw new IllegalStateException("by the test");
    });
    end.release(() -> ended.add("released"));

    assertThat(ended).containsExactly("released");
  }

  @Test
  void theProgramIsGivenMoreTimeToEndThanADoubtTakes() {
    assertThat(Agent.LONGEST_CLOSE).isGreaterThan(Duration.ofSeconds(30 + 2 * 10));
  }
}
