package dev.pageferry.agent.migration.source;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.migration.FailureCode;
import org.junit.jupiter.api.Test;

class SwitchoversPutOffTest {
  @Test
  void anAttemptWhoseSwitchoversWerePutOffSaysHowManyForWhichReason() {
    assertThat(SourceMigration.putOffTooOften(3, 2)).satisfies(failure -> {
      assertThat(failure.code()).isEqualTo(FailureCode.COORDINATOR_UNREACHABLE);
      assertThat(failure.getMessage()).contains("3 switchovers were put off because the coordinator did not answer")
          .contains("2 because the guest's pause got too long");
    });
  }

  @Test
  void pausesThatWereShortEnoughAreNotBlamed() {
    assertThat(SourceMigration.putOffTooOften(5, 0).getMessage()).contains("5 switchovers").doesNotContain("pause");
  }
}
