package dev.pageferry.agent.migration.source;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.migration.source.Convergence.Measurement;
import dev.pageferry.agent.migration.source.Convergence.NextStep;
import dev.pageferry.agent.migration.source.SourceOptions.OnStall;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

final class ConvergenceTest {
  private static final Duration LIMIT = Duration.ofMillis(300);
  private static final double RATE = 100e6;
  /** More than fits into the limit at that rate. */
  private static final long TOO_MUCH = 40_000_000;

  /** At 100 MB/s and a limit of 300 ms, 30 MB fit without fixed costs. */
  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = """
      # round | before    | rest     | fixed s | decision   | why
      0       | 1000000000| 800000000| 0       | Continue   | shrunk by a fifth
      0       | 1000000000| 800000001| 0       | GiveUp     | shrunk by less, and does not fit
      3       | 20000000  | 10000000 | 0       | Continue   | fits, but the limit is a ceiling and rounds still help
      3       | 20000000  | 16000001 | 0       | SwitchOver | no longer shrinks, and fits
      3       | 20000000  | 30000000 | 0       | SwitchOver | grows, but fits exactly
      3       | 20000000  | 30000001 | 0       | GiveUp     | grows, and just does not fit
      3       | 20000000  | 19999999 | 0.1     | SwitchOver | just fits with the fixed costs
      3       | 20000000  | 20000001 | 0.1     | GiveUp     | does not fit with the fixed costs
      3       | 20000000  | 262144   | 0       | SwitchOver | so little that another round is not worth it
      3       | 20000000  | 262145   | 0       | Continue   | just worth another round
      3       | 20000000  | 262144   | 0.4     | Continue   | little, but the fixed costs alone exceed the limit
      3       | 300000    | 262144   | 0.4     | Continue   | the same, though it does not shrink: the costs may
      29      | 300000    | 262144   | 0.4     | GiveUp     | they did not, in thirty rounds
      0       | 0         | 0        | 0       | SwitchOver | nothing was ever written
      28      | 900000000 | 100000000| 0       | Continue   | the last but one round
      29      | 900000000 | 100000000| 0       | GiveUp     | thirty rounds are enough
      29      | 900000000 | 20000000 | 0       | SwitchOver | thirty rounds are enough, and it fits
      """)
  void everyRoundEndsInOneDecision(int round, long before, long rest, double fixedSeconds, String decision,
      String why) {
    NextStep made = new Convergence(LIMIT, OnStall.ABORT)
        .decide(new Measurement(round, before, rest, RATE, fixedSeconds));

    assertThat(made.getClass().getSimpleName()).as(why).isEqualTo(decision);
  }

  @Test
  void aStallIsDecidedByTheOperatorsPolicy() {
    assertThat(new Convergence(LIMIT, OnStall.SWITCH).decide(stalled(4))).isEqualTo(new NextStep.SwitchOver());
    assertThat(new Convergence(LIMIT, OnStall.THROTTLE).decide(stalled(4))).isEqualTo(new NextStep.Throttle(20));
    assertThat(new Convergence(LIMIT, OnStall.ABORT).decide(stalled(4))).isInstanceOf(NextStep.GiveUp.class);
  }

  @ParameterizedTest
  @EnumSource(OnStall.class)
  void thePolicyDoesNotMatterWhileRoundsShrink(OnStall policy) {
    assertThat(new Convergence(LIMIT, policy).decide(new Measurement(1, 1_000_000_000, 500_000_000, RATE, 0)))
        .isEqualTo(new NextStep.Continue());
  }

  @Test
  void theThrottleRisesToItsMaximumAndThenGivesThreeMoreChances() {
    Convergence convergence = new Convergence(LIMIT, OnStall.THROTTLE);
    List<Integer> percents = new ArrayList<>();
    NextStep decision = convergence.decide(stalled(0));
    for (int round = 1; decision instanceof NextStep.Throttle(int percent) && round < 100; round++) {
      percents.add(percent);
      decision = convergence.decide(stalled(round));
    }

    assertThat(percents).containsExactly(20, 30, 40, 50, 60, 70, 80, 90, 99, 99, 99, 99);
    assertThat(decision).isInstanceOf(NextStep.GiveUp.class);
  }

  @Test
  void aThrottleThatHelpsIsNotRaised() {
    Convergence convergence = new Convergence(LIMIT, OnStall.THROTTLE);
    assertThat(convergence.decide(stalled(0))).isEqualTo(new NextStep.Throttle(20));
    assertThat(convergence.decide(new Measurement(1, 2 * TOO_MUCH, TOO_MUCH, RATE, 0)))
        .isEqualTo(new NextStep.Continue());
    assertThat(convergence.decide(stalled(2))).isEqualTo(new NextStep.Throttle(30));
  }

  @Test
  void aThrottledGuestThatNeverFitsEndsAfterABoundedNumberOfRounds() {
    Convergence convergence = new Convergence(LIMIT, OnStall.THROTTLE);
    int round = 0;
    // Rounds that shrink for ever and a blackout that never fits: the worst case of all.
    while (!(convergence
        .decide(new Measurement(round, 1_000_000_000, 100_000_000, RATE, 0)) instanceof NextStep.GiveUp)) {
      round++;
      assertThat(round).isLessThan(50);
    }
    assertThat(round).isGreaterThanOrEqualTo(30);
  }

  @Test
  void beforeAThrottleActsAStalledMoveGoesOnAndOneThatFitsSwitchesOver() {
    Convergence convergence = new Convergence(LIMIT, OnStall.THROTTLE);
    assertThat(convergence.decide(stalled(3))).isEqualTo(new NextStep.Throttle(20));
    for (int round = 4; round < 100; round++) {
      assertThat(convergence.decideBeforeThrottleActs(stalled(round))).isEqualTo(new NextStep.Continue());
    }
    assertThat(convergence.decide(stalled(100))).isEqualTo(new NextStep.Throttle(30));
    assertThat(convergence.decideBeforeThrottleActs(new Measurement(101, 1_000_000, 200_000, RATE, 0.05)))
        .isEqualTo(new NextStep.SwitchOver());
  }

  @Test
  void aRateThatWasNotMeasuredYetCountsAsInfinite() {
    Convergence convergence = new Convergence(LIMIT, OnStall.ABORT);

    assertThat(convergence.decide(new Measurement(0, 1_000_000, 200_000, Double.POSITIVE_INFINITY, 0.05)))
        .isEqualTo(new NextStep.SwitchOver());
  }

  @Test
  void givingUpNamesTheFiguresAndWhatHelps() {
    NextStep decision = new Convergence(LIMIT, OnStall.ABORT)
        .decide(new Measurement(7, 1 << 30, 1 << 30, 100e6, 0.1));

    assertThat(decision).isInstanceOfSatisfying(NextStep.GiveUp.class, givingUp -> assertThat(givingUp.reason())
        .contains("round=7", "rest=1 GiB", "before=1 GiB", "bandwidth=100 MB/s", "expected blackout=10.84 s",
            "limit=300.0 ms", "throttle=0%", "--downtime-limit", "--on-stall"));
  }

  private static Measurement stalled(int round) {
    return new Measurement(round, TOO_MUCH, TOO_MUCH, RATE, 0);
  }
}
