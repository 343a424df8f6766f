package dev.pageferry.agent.memory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.stress.StressRun;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Runs the schedules of {@link DirtyLogStress}, {@link DeviceDirtyLogStress} and of their broken counterparts millions of
 * times under jcstress, and reads what came out.
 */
final class DirtyLogStressTest {
  private static Map<String, Map<String, Long>> outcomes = Map.of();

  @BeforeAll
  static void runAllSchedules() throws Exception {
    outcomes = StressRun.of("jcstress", 400, List.of(DirtyLogStress.class, DeviceDirtyLogStress.class,
        BrokenDirtyLogStress.class, BrokenDeviceDirtyLogStress.class));
  }

  static List<String> realSchedules() {
    return StressRun.schedulesOf(List.of(DirtyLogStress.class, DeviceDirtyLogStress.class));
  }

  static List<String> brokenSchedules() {
    return StressRun.schedulesOf(List.of(BrokenDirtyLogStress.class, BrokenDeviceDirtyLogStress.class));
  }

  @ParameterizedTest
  @MethodSource("realSchedules")
  void noWriteIsLost(String schedule) {
    assertThat(outcomes).containsKey(schedule);
    assertThat(outcomes.get(schedule)).doesNotContainKey(StressedPage.LOST)
        // The migration came both before and after the vCPU's last write, or the schedule shows nothing.
        .containsOnlyKeys(StressedPage.FRESH, StressedPage.SENT_AGAIN);
  }

  @ParameterizedTest
  @MethodSource("brokenSchedules")
  void aMistakeInTheLogIsNoticedAsALostWrite(String schedule) {
    assertThat(outcomes).containsKey(schedule);
    assertThat(outcomes.get(schedule)).containsKey(StressedPage.LOST);
  }

  @Test
  void everyScheduleRanOftenEnoughToMeanSomething() {
    StressRun.assertEachRanOften(outcomes, realSchedules().size() + brokenSchedules().size());
  }
}
