package dev.pageferry.benchmark;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** P5: a move of random pages over TLS against the same one without, and QEMU's over TLS in the same rounds. */
final class TlsScenario implements Scenario {
  private static final long MOST_MEMORY_BYTES = 2048 * Bench.MEBIBYTE;

  private final Bench bench;
  private final Cluster secured;
  private final long memoryBytes;
  private final Outcome outcome = new Outcome("p5", "Throughput over TLS");

  /** @param secured a cluster whose members have certificates, beside that of the bench */
  TlsScenario(Bench bench, Cluster secured) {
    this.bench = bench;
    this.secured = secured;
    // Two clusters keep the memory of a VM on each of four hosts.
    this.memoryBytes = Math.min(bench.memoryBytes(), MOST_MEMORY_BYTES);
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    bench.progress().say("P5: creating two VMs of %d MiB of random pages", memoryBytes / Bench.MEBIBYTE);
    Cluster.Spec spec = new Cluster.Spec("bench-p5", memoryBytes, "idle", List.of("fill=random"));
    try (Cluster.Vm plain = bench.requireCluster().create(spec); Cluster.Vm tls = secured.create(spec)) {
      bench.progress().say("P5: warm-up moves, not counted");
      bench.warmUp(plain);
      bench.warmUp(tls);
      @Nullable
      String obstacle = bench.qemuObstacle(memoryBytes, 0);
      if (obstacle == null) {
        try (QemuPeer qemu = new QemuPeer(bench.children(), bench.cleanUp(), memoryBytes, false)) {
          qemu.migrate(QemuPeer.Variant.SECURED);
          measure(plain, tls, qemu);
        }
      } else {
        outcome.skip(obstacle);
        measure(plain, tls, null);
      }
      bench.progress().say("P5: verifying the VM that went over TLS against a replayed twin");
      if (!tls.verify()) {
        outcome.fault("The VM's memory differs from a replayed twin's after the moves over TLS.");
      }
    }
    outcome.note(
        "Pageferry: bytesSent ÷ time from round 0's start to the last page placed, two streams; TLS 1.3 by certificates."
            + " QEMU: its own figure (mbps), two channels, TLS by a key that both sides have. Each round measures all, one after the other;"
            + " before each move that counts there is one the other way that does not.");
  }

  private void measure(Cluster.Vm plain, Cluster.Vm tls, @Nullable QemuPeer qemu) {
    for (int pair = 1; pair <= bench.pairs(); pair++) {
      double open = throughput(plain);
      double sealed = throughput(tls);
      outcome.add("over TLS ÷ plain", Metric.RATIO, sealed / open, Goal.medianAtLeast(0.5));
      outcome.add("Pageferry over TLS", Metric.GIGABYTES_PER_SECOND, sealed / 1e9);
      outcome.add("Pageferry plain", Metric.GIGABYTES_PER_SECOND, open / 1e9);
      if (qemu != null) {
        double peer = qemu.migrate(QemuPeer.Variant.SECURED).bytesPerSecond();
        double peerPlain = qemu.migrate(QemuPeer.Variant.MULTIFD_2).bytesPerSecond();
        outcome.add("Pageferry over TLS ÷ QEMU over TLS", Metric.RATIO, sealed / peer);
        outcome.add("QEMU over TLS", Metric.GIGABYTES_PER_SECOND, peer / 1e9);
        outcome.add("QEMU plain", Metric.GIGABYTES_PER_SECOND, peerPlain / 1e9);
      }
      bench.progress().say("P5: round %d of %d: plain %.2f GB/s, over TLS %.2f GB/s, ratio %.2f", pair, bench.pairs(),
          open / 1e9, sealed / 1e9, sealed / open);
    }
  }

  private double throughput(Cluster.Vm vm) {
    vm.move();
    bench.settle();
    double moved = vm.move().throughputBytesPerSecond();
    bench.settle();
    return moved;
  }
}
