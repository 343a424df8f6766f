package dev.pageferry.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.simulation.MoveWorld.Kind;
import dev.pageferry.simulation.MoveWorld.Outcome;
import dev.pageferry.simulation.SimulatedNetwork.Mishap;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MoveSimulationTest {
  private static final int SEEDS = Integer.getInteger("pageferry.simulation.seeds", 200);
  /** One seed, to see what happened: all others are left out. */
  private static final Long ONLY = Long.getLong("pageferry.simulation.seed");

  @TempDir(factory = RoomInMemory.class)
  Path storage;

  private Outcome run(long seed, Kind kind) throws InterruptedException {
    try {
      return new MoveWorld(seed, kind, storage).run();
    } catch (AssertionError e) {
      throw new AssertionError(
          "seed %d of %s; to see it: mvn -B package -pl integration-tests -am -Dtest=MoveSimulationTest -Dsurefire.failIfNoSpecifiedTests=false -Dpageferry.simulation.seed=%d -Dpageferry.simulation.print=true%n%s"
              .formatted(seed, kind, seed, e.getMessage()),
          e);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void aMoveComesToAGoodEndWhateverIsLostOrRepeatedAndASeedDecidesAll(Kind kind) throws Exception {
    Map<Mishap, Map<String, Integer>> mishaps = new TreeMap<>();
    Map<String, Integer> ends = new TreeMap<>();
    int cuts = 0;
    long hash = 0;
    int restarts = 0;
    for (long seed = ONLY == null ? 0 : ONLY; seed < (ONLY == null ? SEEDS : ONLY + 1); seed++) {
      Outcome outcome = run(seed, kind);
      assertThat(run(seed, kind).traceHash()).as("the trace of seed %d", seed).isEqualTo(outcome.traceHash());
      outcome.mishaps().forEach((mishap, counts) -> counts.forEach((what, count) -> mishaps
          .computeIfAbsent(mishap, unused -> new TreeMap<>()).merge(what, count, Integer::sum)));
      ends.merge(outcome.migration().getState() + "/" + outcome.row().getPhase(), 1, Integer::sum);
      hash = 31 * hash + outcome.traceHash();
      cuts += outcome.cuts();
      restarts += outcome.restarts();
    }
    // Another JVM must print the same.
    System.out.printf("%s: traces %016x, %s, mishaps %s, cuts %d, restarts %d%n", kind, hash, ends, mishaps, cuts,
        restarts);
    if (ONLY != null) {
      return;
    }
    for (Mishap each : Mishap.values()) {
      assertThat(mishaps).containsKey(each);
      assertThat(mishaps.get(each)).as("%s", each).containsKeys("commit", "heartbeat");
    }
    assertThat(ends).containsKeys("COMPLETED/ACTIVE", "FAILED/ACTIVE");
    assertThat(cuts).isPositive();
    assertThat(restarts).isPositive();
  }

  @ParameterizedTest
  @EnumSource(value = Planted.class, mode = EnumSource.Mode.MATCH_ALL, names = "SILENCE.*")
  void theSameChecksFindAHostThatTakesSilenceForAnAnswer(Planted fault) throws Exception {
    int found = 0;
    for (long seed = 0; seed < SEEDS && found == 0; seed++) {
      try {
        new MoveWorld(seed, fault == Planted.SILENCE_IS_HEARD ? Kind.QUICK : Kind.LIVE, storage, fault).run();
      } catch (AssertionError e) {
        assertThat(e.getMessage()).containsAnyOf("at once", "was done", "has not heard of");
        found++;
      }
    }
    assertThat(found).isPositive();
  }
}
