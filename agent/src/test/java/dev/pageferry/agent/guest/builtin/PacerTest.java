package dev.pageferry.agent.guest.builtin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class PacerTest {
  private static final int CHUNK = 256;

  private final ManualTicker ticker = new ManualTicker();

  @ParameterizedTest
  @ValueSource(doubles = {0.5, 1, 9.7, 1_000, 24_414, 1_000_000})
  void stepsComeAtTheRateAsked(double stepsPerSecond) {
    Pacer pacer = pacer(stepsPerSecond);

    long steps = run(pacer, 20);

    assertThat((double) steps).isBetween(stepsPerSecond * 20 - 1, stepsPerSecond * 20 + 2 + stepsPerSecond / 500);
  }

  @Test
  void theFirstStepDoesNotWait() {
    assertThat(pacer(0.1).allowance(CHUNK)).isEqualTo(1);
    assertThat(pacer(10_000).allowance(CHUNK)).isEqualTo(10);
  }

  @Test
  void anUnlimitedProgramNeverWaits() {
    Pacer pacer = pacer(Double.POSITIVE_INFINITY);

    assertThat(pacer.allowance(CHUNK)).isEqualTo(CHUNK);
    pacer.done(CHUNK);
    assertThat(pacer.allowance(CHUNK)).isEqualTo(CHUNK);
    assertThat(pacer.waitNanos()).isZero();
  }

  @Test
  void noMoreIsAllowedThanAsked() {
    Pacer pacer = pacer(1e9);
    ticker.advanceSeconds(0.05);

    assertThat(pacer.allowance(CHUNK)).isEqualTo(CHUNK);
  }

  @Test
  void aVcpuThatFellFarBehindCatchesUpOnATenthOfASecondOnly() {
    Pacer pacer = pacer(1_000);
    run(pacer, 1);

    ticker.advanceSeconds(10);

    assertThat(drain(pacer)).isBetween(99L, 102L);
    assertThat(run(pacer, 1)).isBetween(998L, 1002L);
  }

  @Test
  void aVcpuThatFellALittleBehindCatchesUpOnAllOfIt() {
    Pacer pacer = pacer(1_000);
    run(pacer, 1);

    ticker.advanceSeconds(0.09);

    assertThat(drain(pacer)).isBetween(89L, 92L);
  }

  @Test
  void aProgramOfFewStepsIsNotLateBecauseItWasAskedTooEarly() {
    Pacer pacer = pacer(0.25);
    assertThat(drain(pacer)).isEqualTo(1);
    long steps = 0;
    for (int i = 0; i < 400; i++) {
      // Woken every tenth of a second, whatever the pacer asked for.
      pacer.waitNanos();
      ticker.advanceSeconds(0.1);
      steps += drain(pacer);
    }

    assertThat(steps).isBetween(9L, 10L);
  }

  @Test
  void aPauseEarnsNoSteps() {
    Pacer pacer = pacer(10_000);
    run(pacer, 1);
    ticker.advanceSeconds(60);

    pacer.restart();

    assertThat(drain(pacer)).isEqualTo(10);
  }

  @ParameterizedTest
  @CsvSource({"20, 0.8", "50, 0.5", "90, 0.1", "99, 0.01"})
  void aThrottledProgramMakesThatMuchLessOfItsRate(int percent, double share) {
    Pacer pacer = pacer(100_000);
    pacer.throttle(percent);

    assertThat((double) run(pacer, 20)).isCloseTo(20 * 100_000 * share, withPercentage(5));
  }

  @ParameterizedTest
  @CsvSource({"20, 0.8", "50, 0.5", "90, 0.1", "99, 0.01"})
  void aThrottledProgramWithoutARateStandsStillThatMuchOfTheTime(int percent, double share) {
    Pacer pacer = pacer(Double.POSITIVE_INFINITY);
    pacer.throttle(percent);
    long end = ticker.nanos() + 10_000_000_000L;
    long ranNanos = 0;
    while (ticker.nanos() - end < 0) {
      if (pacer.allowance(CHUNK) > 0) {
        pacer.done(CHUNK);
        ticker.advance(10_000);
        ranNanos += 10_000;
      } else {
        ticker.advance(pacer.waitNanos());
      }
    }

    assertThat(ranNanos / 1e10).isCloseTo(share, withPercentage(5));
  }

  @Test
  void aThrottleTakenBackLeavesNoTrace() {
    Pacer pacer = pacer(10_000);
    pacer.throttle(90);
    run(pacer, 5);

    pacer.throttle(0);

    assertThat((double) run(pacer, 5)).isCloseTo(50_000, withPercentage(3));
  }

  private Pacer pacer(double stepsPerSecond) {
    Pacer pacer = new Pacer(stepsPerSecond, ticker);
    pacer.restart();
    return pacer;
  }

  /** Runs as a vCPU does whose steps take no time, and returns the steps it made. */
  private long run(Pacer pacer, double seconds) {
    long end = ticker.nanos() + (long) (seconds * 1e9);
    long steps = 0;
    while (ticker.nanos() - end < 0) {
      steps += drain(pacer);
      long wait = pacer.waitNanos();
      assertThat(wait).isPositive();
      ticker.advance(Math.min(wait, end - ticker.nanos()));
    }
    return steps + drain(pacer);
  }

  private static long drain(Pacer pacer) {
    long steps = 0;
    for (int allowed = pacer.allowance(CHUNK); allowed > 0; allowed = pacer.allowance(CHUNK)) {
      pacer.done(allowed);
      steps += allowed;
    }
    return steps;
  }
}
