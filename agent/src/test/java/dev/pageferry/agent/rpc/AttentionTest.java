package dev.pageferry.agent.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class AttentionTest {
  private static final Duration FREEZE = Duration.ofMinutes(10);

  private final AtomicLong clock = new AtomicLong(Duration.ofDays(1).toNanos());
  private final Attention attention = new Attention(clock::get);

  @Test
  void aHostIsAttentiveForAWhileFromWhenItAsked() {
    passes(Duration.ofDays(1));
    assertThat(attention.holds()).isFalse();
    long sent = clock.get();
    passes(Attention.LASTS.minusNanos(1));
    attention.answered(sent);
    assertThat(attention.holds()).isTrue();
    passes(Duration.ofNanos(1));
    assertThat(attention.holds()).isFalse();
  }

  @Test
  void aCoordinatorThatIsAwayTakesNothingFromAHostThatGoesOnAsking() {
    for (int i = 0; i < 100; i++) {
      long sent = clock.get();
      passes(Duration.ofSeconds(3));
      attention.unanswered(sent);
      assertThat(attention.holds()).isTrue();
    }
  }

  @Test
  void aHostThatWokeIsNotAttentiveBeforeItIsAnsweredHoweverOftenItAsks() {
    passes(FREEZE);
    for (int i = 0; i < 10; i++) {
      long sent = clock.get();
      passes(Duration.ofSeconds(2));
      attention.unanswered(sent);
      assertThat(attention.holds()).isFalse();
    }
    attention.answered(clock.get());
    assertThat(attention.holds()).isTrue();
  }

  @Test
  void aHostThatWasFrozenDuringAQuestionThatNobodyAnsweredWakesInattentive() {
    long sent = clock.get();
    passes(FREEZE);
    attention.unanswered(sent);
    assertThat(attention.holds()).isFalse();
    attention.unanswered(clock.get());
    assertThat(attention.holds()).isFalse();
  }

  @Test
  void aHostThatIsDeniedIsInattentiveAtOnceAndUntilItIsTakenInAgain() {
    attention.denied();
    assertThat(attention.holds()).isFalse();
    attention.unanswered(clock.get());
    assertThat(attention.holds()).isFalse();
    attention.answered(clock.get());
    assertThat(attention.holds()).isTrue();
  }

  private void passes(Duration time) {
    clock.addAndGet(time.toNanos());
  }
}
