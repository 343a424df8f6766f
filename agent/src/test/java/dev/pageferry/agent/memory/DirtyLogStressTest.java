package dev.pageferry.agent.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.openjdk.jcstress.infra.Status;
import org.openjdk.jcstress.infra.collectors.DiskReadCollector;
import org.openjdk.jcstress.infra.collectors.TestResult;

/**
 * Runs the schedules of {@link DirtyLogStress}, {@link DeviceDirtyLogStress} and of their broken counterparts millions of
 * times under jcstress, and reads what came out.
 */
final class DirtyLogStressTest {
  private static final Path DIRECTORY = Path.of("target", "jcstress").toAbsolutePath();
  private static final int TIME_LIMIT_MINUTES = 5;

  /** How often each outcome was seen, by the schedule's name. */
  private static final Map<String, Map<String, Long>> OUTCOMES = new HashMap<>();

  @BeforeAll
  static void runAllSchedules() throws Exception {
    deletePreviousResults();
    Path log = DIRECTORY.resolve("output.txt");
    Process harness = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
        System.getProperty("java.class.path"), "--enable-native-access=ALL-UNNAMED", "org.openjdk.jcstress.Main",
        // A schedule has two actors; the operating system spreads them over the processors there are.
        "-c", "2", "-af", "NONE", "-spinStyle", "THREAD_YIELD",
        "-jvmArgs", "-XX:+UseSerialGC -Xmx256m", "-hs", "128", "-pth", "false",
        "-sc", "false", "-f", "1", "-iters", "1", "-time", "400",
        "-t", "dev.pageferry.agent.memory.(Broken)?(Device)?DirtyLogStress", "-r",
        DIRECTORY.resolve("report").toString())
        .directory(DIRECTORY.toFile()).redirectErrorStream(true).redirectOutput(Redirect.to(log.toFile())).start();
    try {
      assertThat(harness.waitFor(TIME_LIMIT_MINUTES, TimeUnit.MINUTES)).as("jcstress ended in time; see %s", log)
          .isTrue();
    } finally {
      harness.destroyForcibly();
    }
    readResults();
  }

  private static void deletePreviousResults() throws IOException {
    Files.createDirectories(DIRECTORY);
    try (DirectoryStream<Path> results = Files.newDirectoryStream(DIRECTORY, "jcstress-results-*")) {
      for (Path each : results) {
        Files.delete(each);
      }
    }
  }

  private static void readResults() throws Exception {
    try (DirectoryStream<Path> results = Files.newDirectoryStream(DIRECTORY, "jcstress-results-*")) {
      for (Path each : results) {
        DiskReadCollector reader = new DiskReadCollector(each.toString(), DirtyLogStressTest::count);
        reader.dump();
        reader.close();
      }
    }
  }

  private static void count(TestResult result) {
    assertThat(result.status()).as("%s: %s", result.getName(), result.getMessages()).isEqualTo(Status.NORMAL);
    Map<String, Long> counts = OUTCOMES.computeIfAbsent(result.getName(), name -> new TreeMap<>());
    for (String outcome : result.getStateKeys()) {
      counts.merge(outcome, result.getCount(outcome), Long::sum);
    }
  }

  static List<String> realSchedules() {
    return schedulesOf(DirtyLogStress.class, DeviceDirtyLogStress.class);
  }

  static List<String> brokenSchedules() {
    return schedulesOf(BrokenDirtyLogStress.class, BrokenDeviceDirtyLogStress.class);
  }

  private static List<String> schedulesOf(Class<?>... holders) {
    return Arrays.stream(holders).flatMap(holder -> Arrays.stream(holder.getDeclaredClasses())
        .map(each -> holder.getName() + "." + each.getSimpleName())).sorted().toList();
  }

  @ParameterizedTest
  @MethodSource("realSchedules")
  void noWriteIsLost(String schedule) {
    assertThat(OUTCOMES).containsKey(schedule);
    assertThat(OUTCOMES.get(schedule)).doesNotContainKey(StressedPage.LOST)
        // The migration came both before and after the vCPU's last write, or the schedule shows nothing.
        .containsOnlyKeys(StressedPage.FRESH, StressedPage.SENT_AGAIN);
  }

  @ParameterizedTest
  @MethodSource("brokenSchedules")
  void aMistakeInTheLogIsNoticedAsALostWrite(String schedule) {
    assertThat(OUTCOMES).containsKey(schedule);
    assertThat(OUTCOMES.get(schedule)).containsKey(StressedPage.LOST);
  }

  @Test
  void everyScheduleRanOftenEnoughToMeanSomething() {
    assertThat(OUTCOMES).hasSize(realSchedules().size() + brokenSchedules().size());
    assertThat(OUTCOMES).allSatisfy((schedule, counts) -> assertThat(
        counts.values().stream().mapToLong(Long::longValue).sum()).isGreaterThan(10_000));
  }
}
