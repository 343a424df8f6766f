package dev.pageferry.benchmark;

import org.jspecify.annotations.Nullable;

/** The references alone, interleaved: what this machine does without Pageferry. */
final class PeersScenario implements Scenario {
  private final Bench bench;
  private final Outcome outcome = new Outcome("peers", "iperf3 and QEMU alone");

  PeersScenario(Bench bench) {
    this.bench = bench;
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    @Nullable
    String obstacle = bench.qemuObstacle(bench.memoryBytes(), 0);
    if (obstacle != null) {
      outcome.skip(obstacle);
      iperf3();
      return;
    }
    bench.progress().say("peers: filling %d MiB of random pages for QEMU", bench.memoryBytes() / Bench.MEBIBYTE);
    try (QemuPeer qemu = new QemuPeer(bench.children(), bench.cleanUp(), bench.memoryBytes(), false)) {
      bench.progress().say("peers: warm-up, not counted");
      qemu.migrate(QemuPeer.Variant.PLAIN);
      for (int round = 1; round <= bench.pairs(); round++) {
        bench.progress().say("peers: round %d of %d", round, bench.pairs());
        iperf3();
        QemuPeer.Variant.ALL.forEach(variant -> qemu(qemu, variant));
      }
    }
  }

  private void iperf3() {
    if (Iperf3.installed()) {
      double bytesPerSecond = new Iperf3(bench.children()).bytesPerSecond(3);
      outcome.add("iperf3", Metric.GIGABYTES_PER_SECOND, bytesPerSecond / 1e9);
    } else {
      outcome.skip("iperf3 is not installed.");
    }
  }

  private void qemu(QemuPeer qemu, QemuPeer.Variant variant) {
    QemuPeer.Run run = qemu.migrate(variant);
    String name = "QEMU " + variant.name();
    outcome.add(name, Metric.SECONDS, run.seconds());
    outcome.add(name + " total-time", Metric.MILLISECONDS, (double) run.totalMillis());
    outcome.add(name + " downtime", Metric.MILLISECONDS, (double) run.downtimeMillis());
    outcome.add(name + " throughput", Metric.GIGABYTES_PER_SECOND, run.bytesPerSecond() / 1e9);
  }
}
