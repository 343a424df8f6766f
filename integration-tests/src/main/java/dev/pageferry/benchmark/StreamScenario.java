package dev.pageferry.benchmark;

import java.util.List;
import java.util.Locale;

/** P1: bytes per second of a move of random pages against one TCP stream of iperf3. */
final class StreamScenario implements Scenario {
  private static final double COUNTERS_TOLERANCE = 0.1;

  /** What agents ask for on the streams that carry pages. */
  private static final String SAME_CONGESTION_CONTROL = "cubic";

  private final Bench bench;
  private final Outcome outcome = new Outcome("p1", "Throughput against one TCP stream");

  StreamScenario(Bench bench) {
    this.bench = bench;
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    if (!Iperf3.installed()) {
      outcome.skip("iperf3 is not installed, so there is no stream to compare with.");
      return;
    }
    Iperf3 iperf3 = new Iperf3(bench.children());
    int seconds = bench.quick() ? 3 : 4;
    bench.progress().say("P1: creating a VM of %d MiB of random pages", bench.memoryBytes() / Bench.MEBIBYTE);
    try (Cluster.Vm vm = bench.requireCluster()
        .create(new Cluster.Spec("bench-p1", bench.memoryBytes(), "idle", List.of("fill=random")))) {
      bench.progress().say("P1: warm-up moves, not counted");
      bench.warmUp(vm);
      for (int pair = 1; pair <= bench.pairs(); pair++) {
        // Memory that has not been touched for some seconds may have to be fetched from the machine under this one.
        vm.move();
        bench.settle();
        measure(vm, iperf3.bytesPerSecond(seconds), iperf3.bytesPerSecond(seconds, "-C", SAME_CONGESTION_CONTROL),
            pair);
        bench.settle();
      }
      bench.progress().say("P1: verifying the VM against a replayed twin");
      if (vm.verify()) {
        outcome.note(
            "After " + (2 * bench.pairs() + Bench.WARM_UP_MOVES)
                + " moves the VM's memory is identical with that of a twin"
                + " replayed without any.");
      } else {
        outcome.fault("The VM's memory differs from a replayed twin's after the moves.");
      }
    }
    outcome.note("iperf3: one stream, -l 1M, " + seconds
        + " s, counted at the receiver; the kernel's congestion control"
        + " here is " + KernelCounters.congestionControl() + ", an agent asks for " + SAME_CONGESTION_CONTROL
        + ", so that both are shown. Pageferry: bytesSent ÷ time"
        + " from round 0's start to the last page placed. Kernel: bytes of IP packets received while the command ran"
        + " (/proc/net/netstat), which may differ from bytesSent by 10 %. Before each move that counts there is one the"
        + " other way that does not: it warms the memory of both hosts, which iperf3 needs none of.");
  }

  private void measure(Cluster.Vm vm, double streamBytesPerSecond, double sameControlBytesPerSecond, int pair) {
    long before = KernelCounters.receivedOctets();
    Move move = vm.move();
    double kernel = (double) (KernelCounters.receivedOctets() - before) / move.bytesSent();
    double ratio = move.throughputBytesPerSecond() / streamBytesPerSecond;
    outcome.add("Pageferry ÷ iperf3", Metric.RATIO, ratio, Goal.medianAtLeast(0.9), Goal.medianAtLeast(1.0));
    outcome.add("Pageferry ÷ iperf3 -C " + SAME_CONGESTION_CONTROL, Metric.RATIO,
        move.throughputBytesPerSecond() / sameControlBytesPerSecond);
    outcome.add("iperf3", Metric.GIGABYTES_PER_SECOND, streamBytesPerSecond / 1e9);
    outcome.add("iperf3 -C " + SAME_CONGESTION_CONTROL, Metric.GIGABYTES_PER_SECOND, sameControlBytesPerSecond / 1e9);
    outcome.add("Pageferry", Metric.GIGABYTES_PER_SECOND, move.throughputBytesPerSecond() / 1e9);
    outcome.add("kernel's count ÷ bytesSent", Metric.RATIO, kernel);
    if (Math.abs(kernel - 1) > COUNTERS_TOLERANCE) {
      outcome.fault(String.format(Locale.ROOT, "Pair %d: the kernel counted %.3f × bytesSent.", pair, kernel));
    }
    if (move.bytesSent() < bench.memoryBytes()) {
      outcome.fault("Pair " + pair + ": bytesSent=" + move.bytesSent() + " is less than the VM's random memory.");
    }
    bench.progress().say("P1: pair %d of %d: iperf3 %.2f GB/s (%s %.2f), Pageferry %.2f GB/s, ratio %.2f", pair,
        bench.pairs(), streamBytesPerSecond / 1e9, SAME_CONGESTION_CONTROL, sameControlBytesPerSecond / 1e9,
        move.throughputBytesPerSecond() / 1e9, ratio);
  }
}
