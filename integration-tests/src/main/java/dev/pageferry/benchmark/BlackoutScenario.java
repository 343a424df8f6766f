package dev.pageferry.benchmark;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** P4: how long guests stand still, busy and idle, and in which part of the blackout. */
final class BlackoutScenario implements Scenario {
  private static final long MEMORY_BYTES = 1024 * Bench.MEBIBYTE;

  private static final int TENTH = 10;

  private final Bench bench;
  private final Outcome outcome = new Outcome("p4", "Blackout");

  BlackoutScenario(Bench bench) {
    this.bench = bench;
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    int moves = bench.quick() ? 5 : 20;
    move("busy", true, moves, new Cluster.Spec("bench-p4-busy", MEMORY_BYTES, "uniform",
        List.of("rate=100MB/s", "workingSet=64MiB")), Goal.medianAtMost(10), Goal.maxAtMost(50));
    move("idle", false, moves, new Cluster.Spec("bench-p4-idle", MEMORY_BYTES, "idle", List.of("fill=random")));
    qemu(bench.quick() ? 2 : 5);
    outcome.note("VMs of 1 GiB, " + moves + " moves back and forth after " + (Bench.WARM_UP_MOVES + 1)
        + " that are not counted. Busy: 100 MB/s"
        + " stored over 64 MiB. The parts of a blackout add up to it; their medians need not.");
  }

  /** @param fresh whether the hosts have moved nothing yet */
  private void move(String kind, boolean fresh, int moves, Cluster.Spec spec, Goal... goals) {
    bench.progress().say("P4: creating the %s VM", kind);
    try (Cluster.Vm vm = bench.requireCluster().create(spec)) {
      Move first = vm.move();
      bench.warmUp(vm);
      for (int i = 1; i <= moves; i++) {
        Move move = vm.move();
        if (fresh && i == TENTH - Bench.WARM_UP_MOVES - 1) {
          outcome.add("first move of a fresh cluster ÷ tenth", Metric.RATIO,
              first.blackoutSeconds() / move.blackoutSeconds(), Goal.medianAtMost(2));
          outcome.add("first move of a fresh cluster", Metric.MILLISECONDS, first.blackoutSeconds() * 1e3);
        }
        outcome.add(kind + ": blackout", Metric.MILLISECONDS, move.blackoutSeconds() * 1e3, goals);
        move.blackoutParts()
            .forEach((part, seconds) -> outcome.add(kind + ": " + part, Metric.MILLISECONDS, seconds * 1e3));
        bench.progress().say("P4: %s, move %d of %d: blackout %.2f ms", kind, i, moves, move.blackoutSeconds() * 1e3);
      }
    }
  }

  private void qemu(int runs) {
    @Nullable
    String obstacle = bench.qemuObstacle(MEMORY_BYTES, 0);
    if (obstacle != null) {
      outcome.skip(obstacle);
      return;
    }
    try (QemuPeer qemu = new QemuPeer(bench.children(), bench.cleanUp(), MEMORY_BYTES, true)) {
      qemu.migrate(QemuPeer.Variant.PLAIN);
      for (int i = 1; i <= runs; i++) {
        for (QemuPeer.Variant variant : List.of(QemuPeer.Variant.PLAIN, QemuPeer.Variant.MULTIFD_2)) {
          long millis = qemu.migrate(variant).downtimeMillis();
          outcome.add("QEMU idle: downtime, " + variant.name(), Metric.MILLISECONDS, (double) millis);
          bench.progress().say("P4: QEMU %s, run %d of %d: downtime %d ms", variant.name(), i, runs, millis);
        }
      }
    }
    outcome.note("QEMU: an idle machine of the same memory, full of random pages, whose firmware found nothing to boot;"
        + " downtime as QEMU reports it, in whole milliseconds. Its default downtime-limit of 300 ms lets it stop the"
        + " guest while the last pages are still on their way. It runs no writing guest here, so there is no figure of"
        + " QEMU for the busy VM.");
  }
}
