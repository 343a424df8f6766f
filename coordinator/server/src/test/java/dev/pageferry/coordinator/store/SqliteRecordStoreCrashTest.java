package dev.pageferry.coordinator.store;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.coordinator.store.RecordStore.Versioned;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A process that is killed in the middle of its work. (That the disk keeps what it was told to sync is not tested here.) */
@Timeout(120)
class SqliteRecordStoreCrashTest {
  private static final int KILLS = 3;

  @TempDir
  Path directory;

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 20260, 777})
  void whatWasAcknowledgedSurvivesAKillAtAnyMoment(long seed) throws Exception {
    Random random = new Random(seed);
    int next = 0;
    for (int kill = 1; kill <= KILLS; kill++) {
      int acknowledged = commitUntilKilled(next, 1 + random.nextInt(150), random.nextInt(2_000_000));
      assertThat(acknowledged).as("last acknowledged, kill %d of seed %d", kill, seed).isGreaterThanOrEqualTo(next);
      next = check(acknowledged, "kill %d of seed %d".formatted(kill, seed));
    }
  }

  /** @return the last number that the process acknowledged before it was killed */
  private int commitUntilKilled(int first, int records, int extraNanos) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--enable-native-access=ALL-UNNAMED", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp",
        System.getProperty("java.class.path"), CommittingProcess.class.getName(), directory.toString(),
        Integer.toString(first)).redirectError(directory.resolve("stderr").toFile()).start();
    try (BufferedReader acknowledged = process.inputReader(UTF_8)) {
      int last = -1;
      for (int i = 0; i < records; i++) {
        last = Integer.parseInt(next(acknowledged, process));
      }
      long killAt = System.nanoTime() + extraNanos;
      while (System.nanoTime() < killAt) {
        Thread.onSpinWait();
      }
      // By its handle: destroying the process itself would also close the stream that is still to be read.
      process.toHandle().destroyForcibly();
      for (String line = acknowledged.readLine(); line != null; line = acknowledged.readLine()) {
        last = Integer.parseInt(line);
      }
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
      return last;
    } finally {
      process.destroyForcibly();
    }
  }

  private String next(BufferedReader lines, Process process) throws IOException, InterruptedException {
    String line = lines.readLine();
    if (line == null) {
      process.waitFor(10, TimeUnit.SECONDS);
      throw new AssertionError("the process ended by itself: "
          + java.nio.file.Files.readString(new File(directory.toFile(), "stderr").toPath()));
    }
    return line;
  }

  /**
   * All that was acknowledged is there, whole; of the rest at most the one commit that was under way.
   *
   * @return the first number that is free
   */
  private int check(int acknowledged, String when) throws IOException {
    try (SqliteRecordStore store = SqliteRecordStore.open(directory)) {
      List<Versioned> records = store.list("records/");
      assertThat(records.size()).as(when).isBetween(acknowledged + 1, acknowledged + 2);
      long revision = 0;
      for (int number = 0; number < records.size(); number++) {
        assertThat(records.get(number).key()).as(when).isEqualTo(CommittingProcess.key(number));
        assertThat(records.get(number).value()).as("record %d, %s", number, when)
            .isEqualTo(CommittingProcess.value(number));
        assertThat(records.get(number).revision()).as(when).isGreaterThan(revision);
        revision = records.get(number).revision();
      }
      Versioned last = store.get("last").orElseThrow();
      assertThat(new String(last.value(), UTF_8)).as(when).isEqualTo(Integer.toString(records.size() - 1));
      assertThat(last.revision()).as(when).isEqualTo(records.getLast().revision());
      return records.size();
    }
  }
}
