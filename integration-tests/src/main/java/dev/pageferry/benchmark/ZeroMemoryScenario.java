package dev.pageferry.benchmark;

import java.util.List;

/** P3: what a VM costs whose memory was never touched, against the same VM full. */
final class ZeroMemoryScenario implements Scenario {
  private final Bench bench;
  private final Outcome outcome = new Outcome("p3", "Untouched memory against full memory");

  ZeroMemoryScenario(Bench bench) {
    this.bench = bench;
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    for (int pair = 0; pair <= bench.pairs(); pair++) {
      // Both at once would need four copies of that memory, so each VM is created for its one move.
      Move zero = move("fill=zero");
      Move full = move("fill=random");
      if (pair == 0) {
        bench.progress().say("P3: warm-up pair done, not counted");
        continue;
      }
      double ratio = zero.afterSetupSeconds() / full.afterSetupSeconds();
      outcome.add("untouched ÷ full", Metric.RATIO, ratio, Goal.medianAtMost(0.1));
      outcome.add("untouched", Metric.SECONDS, zero.afterSetupSeconds());
      outcome.add("full", Metric.SECONDS, full.afterSetupSeconds());
      outcome.add("setup of untouched", Metric.SECONDS, zero.setupSeconds());
      outcome.add("setup of full", Metric.SECONDS, full.setupSeconds());
      if (zero.pagesSent() > 0) {
        outcome.fault("Pair " + pair + ": pagesSent=" + zero.pagesSent() + " of a VM whose memory is all zero.");
      }
      bench.progress().say("P3: pair %d of %d: untouched %.3f s, full %.3f s, ratio %.3f", pair, bench.pairs(),
          zero.afterSetupSeconds(), full.afterSetupSeconds(), ratio);
    }
    outcome.note("VMs of " + memoryBytes() / Bench.MEBIBYTE + " MiB. The figure is totalSeconds − setupSeconds: the"
        + " copying and the few milliseconds of handing over. Setup is left out because it mostly shows how fast the"
        + " machine under this one hands out fresh memory, which is the same for both.");
  }

  private long memoryBytes() {
    return bench.memoryBytes() / 2 * 3;
  }

  private Move move(String fill) {
    try (Cluster.Vm vm = bench.requireCluster()
        .create(new Cluster.Spec("bench-p3", memoryBytes(), "idle", List.of(fill)))) {
      return vm.move();
    }
  }
}
