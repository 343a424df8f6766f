package dev.pageferry.agent.stress;

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
import java.util.regex.Pattern;
import org.openjdk.jcstress.infra.Status;
import org.openjdk.jcstress.infra.collectors.DiskReadCollector;
import org.openjdk.jcstress.infra.collectors.TestResult;

/** Runs schedules millions of times under jcstress, and reads what came out. */
public final class StressRun {
  private static final int TIME_LIMIT_MINUTES = 5;

  private final Path directory;
  private static final long OFTEN = 10_000;
  private static final int MORE_ROUNDS = 3;
  private static final int MORE_MILLIS = 4;

  /** How often each outcome was seen, by the schedule's name. */
  private final Map<String, Map<String, Long>> outcomes = new HashMap<>();

  private StressRun(Path directory) {
    this.directory = directory;
  }

  /**
   * Runs all schedules of some classes.
   *
   * @param name of the directory of what comes out, below {@code target}
   * @param millis for which the actors of each schedule run; to make what they work on takes ten times as long and more
   * @return how often each outcome was seen, by the schedule's name
   */
  public static Map<String, Map<String, Long>> of(String name, int millis, List<Class<?>> holders) throws Exception {
    StressRun run = new StressRun(Path.of("target", name).toAbsolutePath());
    run.round(millis, holders.stream().map(holder -> Pattern.quote(holder.getName())).toList());
    // On a machine that others keep busy the actors of a schedule may hardly have met.
    for (int i = 0; i < MORE_ROUNDS && !run.seldom().isEmpty(); i++) {
      run.round(millis * MORE_MILLIS, run.seldom().stream().map(schedule -> Pattern.quote(schedule) + "$").toList());
    }
    return run.outcomes;
  }

  private void round(int millis, List<String> schedules) throws Exception {
    deletePreviousResults();
    run(millis, String.join("|", schedules));
    readResults();
  }

  /** Schedules that ran too seldom for their outcomes to mean something. */
  private List<String> seldom() {
    return outcomes.entrySet().stream().filter(each -> times(each.getValue()) <= OFTEN).map(Map.Entry::getKey).toList();
  }

  private static long times(Map<String, Long> counts) {
    return counts.values().stream().mapToLong(Long::longValue).sum();
  }

  private void run(int millis, String schedules) throws IOException, InterruptedException {
    Path log = directory.resolve("output.txt");
    Process harness = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
        System.getProperty("java.class.path"), "--enable-native-access=ALL-UNNAMED", "org.openjdk.jcstress.Main",
        // A schedule has two actors; the operating system spreads them over the processors there are.
        "-c", "2", "-af", "NONE", "-spinStyle", "THREAD_YIELD",
        "-jvmArgs", "-XX:+UseSerialGC -Xmx256m", "-hs", "128", "-pth", "false",
        "-sc", "false", "-f", "1", "-iters", "1", "-time", String.valueOf(millis),
        "-t", "^(" + schedules + ")", "-r", directory.resolve("report").toString())
        .directory(directory.toFile()).redirectErrorStream(true).redirectOutput(Redirect.to(log.toFile())).start();
    try {
      assertThat(harness.waitFor(TIME_LIMIT_MINUTES, TimeUnit.MINUTES)).as("jcstress ended in time; see %s", log)
          .isTrue();
    } finally {
      harness.destroyForcibly();
    }
  }

  private void deletePreviousResults() throws IOException {
    Files.createDirectories(directory);
    try (DirectoryStream<Path> results = Files.newDirectoryStream(directory, "jcstress-results-*")) {
      for (Path each : results) {
        Files.delete(each);
      }
    }
  }

  private void readResults() throws Exception {
    try (DirectoryStream<Path> results = Files.newDirectoryStream(directory, "jcstress-results-*")) {
      for (Path each : results) {
        DiskReadCollector reader = new DiskReadCollector(each.toString(), this::count);
        reader.dump();
        reader.close();
      }
    }
  }

  private void count(TestResult result) {
    assertThat(result.status()).as("%s: %s", result.getName(), result.getMessages()).isEqualTo(Status.NORMAL);
    Map<String, Long> counts = outcomes.computeIfAbsent(result.getName(), name -> new TreeMap<>());
    for (String outcome : result.getStateKeys()) {
      counts.merge(outcome, result.getCount(outcome), Long::sum);
    }
  }

  /** The names of the schedules of some classes. */
  public static List<String> schedulesOf(List<Class<?>> holders) {
    return holders.stream().flatMap(holder -> Arrays.stream(holder.getDeclaredClasses())
        .filter(each -> each.isAnnotationPresent(org.openjdk.jcstress.annotations.JCStressTest.class))
        .map(each -> holder.getName() + "." + each.getSimpleName())).sorted().toList();
  }

  /** Each ran often enough for its outcomes to mean something. */
  public static void assertEachRanOften(Map<String, Map<String, Long>> outcomes, int schedules) {
    assertThat(outcomes).hasSize(schedules);
    assertThat(outcomes).allSatisfy((schedule, counts) -> assertThat(times(counts)).isGreaterThan(OFTEN));
  }
}
