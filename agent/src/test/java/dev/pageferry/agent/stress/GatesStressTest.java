package dev.pageferry.agent.stress;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.disk.BrokenDiskGateStress;
import dev.pageferry.agent.disk.DiskGateStress;
import dev.pageferry.agent.guest.qemu.BrokenMachineStress;
import dev.pageferry.agent.guest.qemu.MachineStress;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Runs the schedules of a disk's gate and of a machine's commands and condition, and those of their broken counterparts. */
final class GatesStressTest {
  private static final List<Class<?>> REAL = List.of(DiskGateStress.class, MachineStress.class);
  private static final List<Class<?>> BROKEN = List.of(BrokenDiskGateStress.class, BrokenMachineStress.class);

  private static Map<String, Map<String, Long>> outcomes = Map.of();

  @BeforeAll
  static void runAllSchedules() throws Exception {
    outcomes = StressRun.of("jcstress-gates", 50,
        List.of(DiskGateStress.class, MachineStress.class, BrokenDiskGateStress.class, BrokenMachineStress.class));
  }

  static List<String> realSchedules() {
    return StressRun.schedulesOf(REAL);
  }

  static List<String> brokenSchedules() {
    return StressRun.schedulesOf(BROKEN);
  }

  @ParameterizedTest
  @MethodSource("realSchedules")
  void nothingGoesWrongWhicheverComesFirst(String schedule) {
    assertThat(outcomes).containsKey(schedule);
    assertThat(outcomes.get(schedule)).doesNotContainKey(Meeting.WRONG)
        // Each came first at times, or the schedule shows nothing.
        .hasSizeGreaterThanOrEqualTo(2);
  }

  @ParameterizedTest
  @MethodSource("brokenSchedules")
  void aMistakeIsNoticed(String schedule) {
    assertThat(outcomes).containsKey(schedule);
    assertThat(outcomes.get(schedule)).containsKey(Meeting.WRONG);
  }

  @Test
  void everyScheduleRanOftenEnoughToMeanSomething() {
    StressRun.assertEachRanOften(outcomes, realSchedules().size() + brokenSchedules().size());
  }
}
