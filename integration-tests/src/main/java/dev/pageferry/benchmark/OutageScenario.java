package dev.pageferry.benchmark;

import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;

/** N1: the outage that a client sees who pings a VM each millisecond while it moves, beside the reported blackout. */
final class OutageScenario implements Scenario {
  private static final long MEMORY_BYTES = 1024 * Bench.MEBIBYTE;
  private static final String NIC = "02:00:00:00:00:05@7";
  private static final int CONTROL_PINGS = 2000;

  private final Bench bench;
  private final Outcome outcome = new Outcome("n1", "Outage seen from outside");

  OutageScenario(Bench bench) {
    this.bench = bench;
  }

  private record Seen(double blackoutMillis, double gapMillis) {
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    int moves = bench.quick() ? 4 : 20;
    try (Cluster.Vm vm = bench.requireCluster().create(new Cluster.Spec("bench-network", MEMORY_BYTES, "uniform",
        List.of("rate=100MB/s", "workingSet=64MiB"), List.of("--nic", NIC)))) {
      bench.warmUp(vm);
      List<Seen> seen = new ArrayList<>();
      double longestControl = 0;
      for (int i = 1; i <= moves; i++) {
        double control = gapMillis(vm.ping(CONTROL_PINGS));
        longestControl = Math.max(longestControl, control);
        outcome.add("control: longest gap", Metric.MILLISECONDS, control);
        Cluster.Probed probed = vm.moveWithProbe();
        Seen now = new Seen(probed.move().blackoutSeconds() * 1e3, gapMillis(probed.probe()));
        seen.add(now);
        outcome.add("move: reported blackout", Metric.MILLISECONDS, now.blackoutMillis());
        outcome.add("move: longest gap", Metric.MILLISECONDS, now.gapMillis());
        outcome.add("move: longest gap beyond the blackout", Metric.MILLISECONDS,
            now.gapMillis() - now.blackoutMillis());
        outcome.add("move: requests without an answer", "", probed.probe().get("lost").getAsDouble(),
            Goal.maxAtMost(0));
        bench.progress().say("N1: move %d of %d: gap %.2f ms, blackout %.2f ms, control %.2f ms, %d lost", i, moves,
            now.gapMillis(), now.blackoutMillis(), control, probed.probe().get("lost").getAsInt());
      }
      for (Seen each : seen) {
        outcome.add("longest gap ÷ (blackout + longest gap of the control in this run)", Metric.RATIO,
            each.gapMillis() / (each.blackoutMillis() + longestControl), Goal.maxAtMost(1));
      }
      if (!vm.verify()) {
        outcome.fault("the VM is not identical to its twin");
      }
    }
    outcome.note(
        "A VM of 1 GiB that stores 100 MB/s over 64 MiB. The control is the same ping while the VM stays; move and"
            + " control take turns. The client is a process of its own, started for each.");
  }

  private static double gapMillis(JsonObject ping) {
    return ping.get("longestGapSeconds").getAsDouble() * 1e3;
  }
}
