package dev.pageferry.benchmark;

import java.util.List;

/** S3: what a disk adds to the blackout of a live migration, and what a quick migration costs beside it. */
final class HandoffScenario implements Scenario {
  private static final long MEMORY_BYTES = 512 * Bench.MEBIBYTE;

  private final Bench bench;
  private final Outcome outcome = new Outcome("s3", "Storage handoff");

  HandoffScenario(Bench bench) {
    this.bench = bench;
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    int moves = bench.quick() ? 4 : 20;
    bench.requireCluster().createDisk("bench-disk", "1GiB");
    List<String> load = List.of("rate=50MB/s", "workingSet=64MiB");
    try (
        Cluster.Vm disk = bench.requireCluster().create(new Cluster.Spec("bench-disk-vm", MEMORY_BYTES, "diskmix", load,
            List.of("--disk", "bench-disk")));
        Cluster.Vm bare = bench.requireCluster().create(new Cluster.Spec("bench-bare-vm", MEMORY_BYTES, "uniform",
            load))) {
      bench.warmUp(disk);
      bench.warmUp(bare);
      for (int i = 1; i <= moves; i++) {
        Move with = disk.move();
        Move without = bare.move();
        double handoff = part(with, "storage") + Math.max(0, part(with, "resume") - part(without, "resume"));
        outcome.add("live: handoff of a disk", Metric.MILLISECONDS, handoff * 1e3, Goal.maxAtMost(20));
        outcome.add("live: blackout with a disk", Metric.MILLISECONDS, with.blackoutSeconds() * 1e3);
        outcome.add("live: blackout without", Metric.MILLISECONDS, without.blackoutSeconds() * 1e3);
        bench.progress().say("S3: move %d of %d: handoff %.2f ms of a blackout of %.2f ms, without a disk %.2f ms", i,
            moves, handoff * 1e3, with.blackoutSeconds() * 1e3, without.blackoutSeconds() * 1e3);
      }
      for (int i = 1; i <= Math.max(2, moves / 4); i++) {
        Move quick = disk.moveQuickly();
        outcome.add("quick: blackout", Metric.MILLISECONDS, quick.blackoutSeconds() * 1e3);
        outcome.add("quick: total", Metric.MILLISECONDS, quick.totalSeconds() * 1e3);
        bench.progress().say("S3: quick move %d: blackout %.0f ms", i, quick.blackoutSeconds() * 1e3);
      }
      if (!disk.verify()) {
        outcome.fault("The VM with a disk differs from its twin.");
      }
    }
    outcome.note("A VM of " + MEMORY_BYTES / Bench.MEBIBYTE + " MiB that stores 50 MB/s and writes and reads its disk."
        + " Handoff: flushing, closing and releasing the disk at the source, opening it at the destination (what resuming"
        + " takes longer than without a disk); the last flush is in it.");
  }

  private static double part(Move move, String name) {
    return move.blackoutParts().getOrDefault(name, 0.0);
  }
}
