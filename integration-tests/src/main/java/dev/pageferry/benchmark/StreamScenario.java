package dev.pageferry.benchmark;

import java.util.List;
import java.util.Locale;

/**
 * P1: bytes per second of a move of random pages against one TCP stream of iperf3. P1b: against the same bytes sent by a bare
 * loop.
 */
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
      beside(vm);
      bench.progress().say("P1: verifying the VM against a replayed twin");
      if (vm.verify()) {
        outcome.note("After all moves the VM's memory is identical with that of a twin replayed without any.");
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
        + " other way that does not: it warms the memory of both hosts, which iperf3 needs none of. Bare loop: as many random"
        + " bytes, 1 MiB a call, from mapped memory into mapped memory over one TCP stream, -C "
        + SAME_CONGESTION_CONTROL + ", after a run that does not count.");
  }

  /** P1b, with as much memory again, which is free once the moves beside iperf3 are done. */
  private void beside(Cluster.Vm vm) {
    long needed = 2 * bench.memoryBytes() + 1024 * Bench.MEBIBYTE;
    long available = KernelCounters.memoryAvailableBytes();
    if (available < needed) {
      outcome.skip("The bare loop needs more memory than is free beside the VM (" + needed / Bench.MEBIBYTE + " MiB, "
          + available / Bench.MEBIBYTE + " MiB available).");
      return;
    }
    bench.progress().say("P1b: filling as much for the bare loop");
    try (BareStream bare = new BareStream(bench.memoryBytes())) {
      for (int pair = 1; pair <= bench.pairs(); pair++) {
        bare.bytesPerSecond(SAME_CONGESTION_CONTROL);
        double limit = bare.bytesPerSecond(SAME_CONGESTION_CONTROL);
        vm.move();
        bench.settle();
        double moved = vm.move().throughputBytesPerSecond();
        bench.settle();
        outcome.add("P1b: Pageferry ÷ bare loop", Metric.RATIO, moved / limit, Goal.medianAtLeast(0.9));
        outcome.add("P1b: bare loop", Metric.GIGABYTES_PER_SECOND, limit / 1e9);
        bench.progress().say("P1b: pair %d of %d: bare loop %.2f GB/s, Pageferry %.2f GB/s, ratio %.2f", pair,
            bench.pairs(), limit / 1e9, moved / 1e9, moved / limit);
      }
    }
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
