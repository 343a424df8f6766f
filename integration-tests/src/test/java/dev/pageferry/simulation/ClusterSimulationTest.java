package dev.pageferry.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Thousands of worlds in which hosts die, freeze and are cut off; and whether a fault that is planted there is found. */
class ClusterSimulationTest {
  private static final int SEEDS = Integer.getInteger("pageferry.simulation.clusters", 2000);
  private static final int TWICE = 24;
  private static final int MOST_SEEDS = 2000;

  @TempDir(factory = RoomInMemory.class)
  Path directory;

  private SimulatedWorlds worlds;

  @BeforeEach
  void makeRoom() {
    worlds = new SimulatedWorlds(directory);
  }

  private Map<String, Integer> run(long seed) throws InterruptedException {
    try {
      return worlds.run(seed, Planted.NOTHING).counts();
    } catch (AssertionError e) {
      throw new AssertionError("seed %d (%s); to see it: scripts/simulate --seed %d --trace%n%s".formatted(seed,
          SimulatedWorlds.kind(seed), seed, e.getMessage()), e);
    }
  }

  @Test
  void whateverBefallsHostsEachVmRunsOnceAndAllOfThemRunInTheEndOrSayWhyNot() throws Exception {
    Map<String, Integer> counts = new TreeMap<>();
    for (long seed = 0; seed < SEEDS; seed++) {
      run(seed).forEach((what, number) -> counts.merge(what, number, Integer::sum));
    }
    System.out.printf("%d seeds: %s%n", SEEDS, counts);
    assertThat(counts).containsKeys("restarted", "committed", "aborted", "death", "freeze",
        "host cut off", "storage cut off", "coordinator dies");
  }

  @ParameterizedTest
  @CsvSource({"LEASE_NOT_CHECKED, at once", "MEMBERSHIP_NOT_CHECKED, at once",
      "RENEWAL_COUNTED_FROM_ANSWER, at once|which was opened under",
      "FENCE_FAILS_OPEN, while it runs on",
      "RECORDS_GO_BACK, went back", "ROUND_NOT_PUT_BACK, differs after step",
      "BOTH_DECISIONS_WIN, was ABORTED and is COMMITTED|was COMMITTED and is|is pending|goes from epoch"})
  void theSameChecksFindWhatIsPlanted(Planted fault, String violation) throws Exception {
    boolean isFound = false;
    for (long seed = 0; seed < MOST_SEEDS && !isFound; seed++) {
      try {
        worlds.cluster(seed, fault);
      } catch (AssertionError e) {
        isFound = Pattern.compile(violation).matcher(String.valueOf(e.getMessage()).lines().findFirst().orElse(""))
            .find();
      }
    }
    assertThat(isFound).isTrue();
  }

  @Test
  void aSeedDecidesAllThatHappensAlsoInAnotherJvm() throws Exception {
    String hash = "%016x".formatted(SimulationMain.hash(worlds, 0, TWICE));
    assertThat("%016x".formatted(SimulationMain.hash(worlds, 0, TWICE))).isEqualTo(hash);
    Path other = Files.createDirectory(directory.resolve("other"));
    Process second = new ProcessBuilder(
        List.of(ProcessHandle.current().info().command().orElseThrow(), "--enable-native-access=ALL-UNNAMED", "-cp",
            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
            SimulationMain.class.getName(), other.toString(), "hash", "0", Integer.toString(TWICE)))
        .redirectError(ProcessBuilder.Redirect.INHERIT).start();
    try {
      String printed = new String(second.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      assertThat(second.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(printed).isEqualTo(hash);
    } finally {
      second.destroyForcibly();
    }
  }
}
