package dev.pageferry.benchmark;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** P2: time from command to end against QEMU's, same RAM, interleaved. */
final class TotalTimeScenario implements Scenario {
  private final Bench bench;
  private final Outcome outcome = new Outcome("p2", "Total time against QEMU");

  TotalTimeScenario(Bench bench) {
    this.bench = bench;
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    bench.progress().say("P2: creating a VM of %d MiB of random pages", bench.memoryBytes() / Bench.MEBIBYTE);
    try (Cluster.Vm vm = bench.requireCluster()
        .create(new Cluster.Spec("bench-p2", bench.memoryBytes(), "idle", List.of("fill=random")))) {
      Move first = vm.move();
      outcome.add("first move to a host: totalSeconds", Metric.SECONDS, first.totalSeconds());
      outcome.add("first move to a host: setupSeconds", Metric.SECONDS, first.setupSeconds());
      bench.progress().say("P2: warm-up moves, not counted");
      bench.warmUp(vm);
      // Both hosts have the VM's memory by now.
      @Nullable
      String obstacle = bench.qemuObstacle(bench.memoryBytes(), 0);
      if (obstacle != null) {
        outcome.skip(obstacle);
        return;
      }
      bench.progress().say("P2: filling as much for QEMU");
      try (QemuPeer qemu = new QemuPeer(bench.children(), bench.cleanUp(), bench.memoryBytes(), false)) {
        qemu.migrate(QemuPeer.Variant.PLAIN);
        for (int pair = 1; pair <= bench.pairs(); pair++) {
          measure(vm, qemu, pair);
        }
      }
    }
    outcome.note("Pageferry: totalSeconds, from the accepted request to the running guest acknowledged, setup included;"
        + " the command's own time, start of its JVM included, is shown beside it. QEMU: from the migrate command, over a"
        + " connection already open, to completed; TCG, RAM preallocated on both sides before, CPU standing still,"
        + " max-bandwidth unlimited. Best multifd: the faster of 2 and 4 channels in each pair. Pageferry's destination has"
        + " memory ready too, which the VM left there before; the first move to a host, where it is fresh, is shown apart.");
  }

  private void measure(Cluster.Vm vm, QemuPeer qemu, int pair) {
    // Warms memory that the runs of QEMU have let grow cold; QEMU's own is read and written by the run before.
    vm.move();
    Move move = vm.move();
    bench.settle();
    double plain = qemu(qemu, QemuPeer.Variant.PLAIN).seconds();
    double multifd = Math.min(qemu(qemu, QemuPeer.Variant.MULTIFD_2).seconds(),
        qemu(qemu, QemuPeer.Variant.MULTIFD_4).seconds());
    outcome.add("QEMU plain ÷ Pageferry", Metric.RATIO, plain / move.totalSeconds(), Goal.medianAtLeast(2));
    outcome.add("QEMU best multifd ÷ Pageferry", Metric.RATIO, multifd / move.totalSeconds(), Goal.medianAtLeast(1.2));
    outcome.add("QEMU plain ÷ whole ferry command", Metric.RATIO, plain / move.commandSeconds());
    outcome.add("Pageferry totalSeconds", Metric.SECONDS, move.totalSeconds());
    outcome.add("Pageferry setupSeconds", Metric.SECONDS, move.setupSeconds());
    outcome.add("whole ferry command", Metric.SECONDS, move.commandSeconds());
    bench.progress().say("P2: pair %d of %d: Pageferry %.2f s (command %.2f s), QEMU plain %.2f s, best multifd %.2f s",
        pair, bench.pairs(), move.totalSeconds(), move.commandSeconds(), plain, multifd);
  }

  private QemuPeer.Run qemu(QemuPeer qemu, QemuPeer.Variant variant) {
    QemuPeer.Run run = qemu.migrate(variant);
    outcome.add("QEMU " + variant.name(), Metric.SECONDS, run.seconds());
    return run;
  }
}
