package dev.pageferry.simulation;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;

/** The worlds that seeds have: most are clusters, some are moves between two hosts. One at a time in a directory. */
final class SimulatedWorlds {
  private static final int KINDS = 4;

  private final ClusterDirectory clusters;

  /** What became of a seed's world. */
  record Outcome(long traceHash, long events, Map<String, Integer> counts) {
  }

  /** @param directory exists, and is empty or was used for this */
  SimulatedWorlds(Path directory) {
    this.clusters = new ClusterDirectory(directory, ClusterTrouble.DISKS);
  }

  /** What kind of world a seed has. */
  static String kind(long seed) {
    return switch ((int) Math.floorMod(seed, KINDS)) {
      case 0 -> "live move";
      case 1 -> "quick move";
      default -> "cluster, kernels: " + ClusterTrouble.setup(seed).kernels();
    };
  }

  /** @throws AssertionError if anything does not hold that must */
  Outcome run(long seed, Planted planted) throws InterruptedException {
    return switch ((int) Math.floorMod(seed, KINDS)) {
      case 0 -> move(seed, MoveWorld.Kind.LIVE, planted);
      case 1 -> move(seed, MoveWorld.Kind.QUICK, planted);
      default -> cluster(seed, planted);
    };
  }

  private Outcome move(long seed, MoveWorld.Kind kind, Planted planted) throws InterruptedException {
    try {
      MoveWorld.Outcome outcome = new MoveWorld(seed, kind, clusters.saved(), planted).run();
      return new Outcome(outcome.traceHash(), outcome.events(), new TreeMap<>(Map.of("moves", 1)));
    } finally {
      clusters.clean();
    }
  }

  Outcome cluster(long seed, Planted planted) throws InterruptedException {
    ClusterWorld.Setup setup = ClusterTrouble.setup(seed);
    ClusterTrouble trouble = new ClusterTrouble(seed);
    ClusterWorld.Story story = trouble;
    if (planted == Planted.BOTH_DECISIONS_WIN) {
      // Two that decide at one time are rare where neither takes long.
      setup = setup.withSync(Duration.ofSeconds(2));
    } else if (planted == Planted.RENEWAL_COUNTED_FROM_ANSWER) {
      // What makes a difference there: an answer that comes long after the question, when others have taken over.
      setup = setup.withLocksThatAreTaken();
      story = trouble::tellOfIsolation;
    }
    ClusterWorld.Outcome outcome = new ClusterWorld(seed, setup, clusters, planted).run(story);
    return new Outcome(outcome.traceHash(), outcome.events(), outcome.counts());
  }
}
