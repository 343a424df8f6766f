package dev.pageferry.benchmark;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/**
 * Q4: a busy Linux guest goes around three hosts. In each move, once the destination has said that it is ready, both machines are
 * paused: then every byte of RAM is compared. Now and then it is paused before the move, and its digests are compared, too.
 */
final class SameMemoryScenario implements Scenario {
  private static final long MEMORY_BYTES = 256 * Bench.MEBIBYTE;
  private static final List<String> HOSTS = List.of("host-a", "host-b", "host-c");
  private static final String READY = "source.stop-and-copy.ready";
  private static final Path RAM = Path.of("/dev/shm");
  private static final Duration REACH_LIMIT = Duration.ofMinutes(1);
  private static final int BETWEEN_DIGESTS = 10;

  private final Bench bench;
  private final LinuxGuest guest;
  private final Outcome outcome = new Outcome("q4", "RAM is the same on both sides");

  SameMemoryScenario(Bench bench, LinuxGuest guest) {
    this.bench = bench;
    this.guest = guest;
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    int moves = bench.quick() ? 10 : 100;
    Cluster cluster = bench.requireCluster();
    LinuxGuest.Spec spec = new LinuxGuest.Spec("bench-same", MEMORY_BYTES, "ferry.hot=1 ferry.write=10", null);
    bench.progress().say("Q4: booting a guest");
    try (FerryMachine ours = new FerryMachine(bench, cluster.operator(), guest, spec, HOSTS)) {
      String id = ours.id();
      for (int i = 1; i <= moves; i++) {
        boolean same = i % BETWEEN_DIGESTS == 0 ? movePaused(ours) : moveRunning(cluster, ours, id);
        outcome.add("moves after which RAM was the same", Metric.RATIO, same ? 1 : 0);
        if (!same) {
          outcome.fault("move %d: RAM differs".formatted(i));
        }
        bench.progress().say("Q4: move %d of %d to %s: %s", i, moves, ours.host(), same ? "the same" : "DIFFERENT");
      }
    }
    outcome.note(
        ("A guest of 256 MiB that rewrites 1 MiB every 20 ms and 10 MB/s over 64 MiB goes around three hosts. Both machines are"
            + " held where the source has heard that the destination is ready (%s), and the two files of RAM are compared; in every"
            + " tenth move the guest is paused before, and 'ferry vm digest' is asked before and after.")
            .formatted(READY));
  }

  private static boolean movePaused(FerryMachine ours) {
    ours.pause();
    String before = ours.digest();
    ours.move();
    boolean same = ours.digest().equals(before);
    ours.resume();
    return same;
  }

  private static boolean moveRunning(Cluster cluster, FerryMachine ours, String id) {
    String source = ours.host();
    Path hold = cluster.directoryOf(source).resolve(READY + ".hold");
    Path reached = cluster.directoryOf(source).resolve(READY + ".reached");
    try {
      Files.deleteIfExists(reached);
      Files.writeString(hold, "");
      FutureTask<Move> moving = new FutureTask<>(ours::move);
      Thread.ofVirtual().start(moving);
      boolean same;
      try {
        awaitReached(reached, moving);
        same = Files.mismatch(ram(source, id), ram(ours.next(), id)) < 0;
      } finally {
        Files.deleteIfExists(hold);
      }
      Move _ = moving.get();
      return same;
    } catch (IOException e) {
      throw new BenchmarkException("RAM: " + e, e);
    } catch (ExecutionException e) {
      throw new BenchmarkException(String.valueOf(e.getCause()), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchmarkException("interrupted", e);
    }
  }

  private static Path ram(String host, String id) {
    return RAM.resolve("pageferry-%s-%s".formatted(host, id)).resolve("ram");
  }

  private static void awaitReached(Path reached, FutureTask<Move> moving) throws InterruptedException {
    long deadline = System.nanoTime() + REACH_LIMIT.toNanos();
    while (!Files.exists(reached)) {
      if (moving.isDone() || System.nanoTime() - deadline > 0) {
        throw new BenchmarkException("the move did not come to " + READY);
      }
      Thread.sleep(Duration.ofMillis(5));
    }
  }
}
