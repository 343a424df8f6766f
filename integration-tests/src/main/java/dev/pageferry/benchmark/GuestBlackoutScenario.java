package dev.pageferry.benchmark;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Q1: how long a Linux guest is paused, idle and busy, moved by Pageferry and by QEMU alone, and how long it is silent. */
final class GuestBlackoutScenario implements Scenario {
  private static final long MEMORY_BYTES = 256 * Bench.MEBIBYTE;
  private static final List<Integer> SWEEP_MILLIS = List.of(5, 10, 20, 50, 100);
  private static final int BETWEEN_SILENCES = 4;
  private static final Duration HEARD_AGAIN = Duration.ofMillis(200);
  private static final String DEFAULTS = "QEMU with its defaults";
  private static final String LIMITED = "QEMU with its best limit";
  private static final String TICKS = "ferry.tick=5";

  private final Bench bench;
  private final LinuxGuest guest;
  private final Outcome outcome = new Outcome("q1", "Blackout of Linux guests");

  GuestBlackoutScenario(Bench bench, LinuxGuest guest) {
    this.bench = bench;
    this.guest = guest;
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    measure("idle", TICKS);
    measure("busy", TICKS + " ferry.hot=1");
    outcome.note(
        "Guests of 256 MiB, one vCPU, software emulation; busy: 1 MiB rewritten every 20 ms. Blackout: Pageferry's from its"
            + " report (from the order to stop until the guest runs again); QEMU's from the event STOP at the source to RESUME at the"
            + " destination. Silence, in moves of its own: the longest time without a byte on the serial console, to which the guest"
            + " writes every 5 ms; Pageferry's is asked for through the coordinator, which adds some milliseconds. Control: the same"
            + " while the guest stays. While one guest is moved the other one is paused. Both have their RAM in files of shared memory, all of it"
            + " there before the guest is paused (QEMU's before the move); max-bandwidth is unlimited.");
  }

  private void measure(String kind, String settings) {
    LinuxGuest.Spec spec = new LinuxGuest.Spec("bench-" + kind, MEMORY_BYTES, settings, null);
    Cluster cluster = bench.requireCluster();
    bench.progress().say("Q1: booting two %s guests", kind);
    try (FerryMachine ours = new FerryMachine(bench, cluster.operator(), guest, spec, HostNamespaces.HOSTS);
        PlainMachine plain = new PlainMachine(bench, guest, spec, PlainMachine.Place.LOOPBACK)) {
      plain.pause();
      ours.warmUp(bench.quick() ? 1 : Bench.WARM_UP_MOVES);
      ours.pause();
      plain.resume();
      int best = sweep(kind, plain);
      int moves = bench.quick() ? 1 : 20;
      for (int i = 1; i <= moves; i++) {
        plain.pause();
        ours.resume();
        bench.pass(HEARD_AGAIN);
        double millis = ours(kind, ours);
        ours.pause();
        plain.resume();
        bench.pass(HEARD_AGAIN);
        double defaults = plain(kind, DEFAULTS, plain, QemuMachine.DOWNTIME_LIMIT_MILLIS);
        double limited = plain(kind, LIMITED, plain, best);
        outcome.add(kind + ": Pageferry ÷ " + DEFAULTS, Metric.RATIO, millis / defaults, Goal.medianAtMost(1));
        outcome.add(kind + ": Pageferry ÷ " + LIMITED, Metric.RATIO, millis / limited, Goal.medianAtMost(1));
        bench.progress().say("Q1: %s, round %d of %d: Pageferry %.1f ms, QEMU %.1f ms, with a limit of %d ms %.1f ms",
            kind, i, moves, millis, defaults, best, limited);
        if (i % BETWEEN_SILENCES == 1) {
          silences(kind, ours, plain, best);
        }
      }
      outcome.note("%s: QEMU's best downtime-limit in a sweep of %s ms was %d ms.".formatted(kind, SWEEP_MILLIS, best));
    }
  }

  private double ours(String kind, FerryMachine ours) {
    Move move = ours.moveUnwatched();
    move.blackoutParts().forEach((part, seconds) -> outcome
        .add("%s: of Pageferry's blackout, %s".formatted(kind, part), Metric.MILLISECONDS, seconds * 1e3));
    double millis = move.blackoutSeconds() * 1e3;
    outcome.add(kind + ": blackout, Pageferry", Metric.MILLISECONDS, millis, Goal.medianAtMost(25),
        Goal.maxAtMost(100));
    return millis;
  }

  private double plain(String kind, String name, PlainMachine plain, int limitMillis) {
    double millis = plain.move(limitMillis).blackoutSeconds() * 1e3;
    outcome.add(kind + ": blackout, " + name, Metric.MILLISECONDS, millis);
    return millis;
  }

  /** In moves of their own: who listens takes processors that the pause needs. */
  private void silences(String kind, FerryMachine ours, PlainMachine plain, int best) {
    try (SignsOfLife signs = SignsOfLife.of(plain.consoles())) {
      control(kind + ": silence, control of QEMU", signs);
      silence(kind, DEFAULTS, signs, () -> {
        PlainMachine.Moved _ = plain.move(QemuMachine.DOWNTIME_LIMIT_MILLIS);
      });
      silence(kind, LIMITED, signs, () -> {
        PlainMachine.Moved _ = plain.move(best);
      });
    }
    plain.pause();
    ours.resume();
    try (SignsOfLife signs = SignsOfLife.of(bench.requireCluster().address(), ours.name())) {
      control(kind + ": silence, control of Pageferry", signs);
      signs.begin();
      Move _ = ours.moveUnwatched(() -> addSilence(kind, "Pageferry", signs));
    }
    ours.pause();
    plain.resume();
  }

  private void silence(String kind, String name, SignsOfLife signs, Runnable move) {
    signs.begin();
    move.run();
    bench.pass(HEARD_AGAIN);
    addSilence(kind, name, signs);
  }

  private void addSilence(String kind, String name, SignsOfLife signs) {
    outcome.add(kind + ": silence, " + name, Metric.MILLISECONDS, signs.longestMillis());
  }

  /** @return the downtime-limit whose median blackout was the shortest */
  private int sweep(String kind, PlainMachine plain) {
    PlainMachine.Moved _ = plain.move(QemuMachine.DOWNTIME_LIMIT_MILLIS);
    int best = QemuMachine.DOWNTIME_LIMIT_MILLIS;
    double shortest = Double.POSITIVE_INFINITY;
    for (int limit : bench.quick() ? List.of(10) : SWEEP_MILLIS) {
      List<Double> samples = new ArrayList<>();
      for (int i = 0; i < (bench.quick() ? 1 : 3); i++) {
        samples.add(plain.move(limit).blackoutSeconds() * 1e3);
      }
      double median = Statistics.of(samples).median();
      bench.progress().say("Q1: %s, QEMU with a downtime-limit of %d ms: blackout %.1f ms", kind, limit, median);
      if (median < shortest) {
        shortest = median;
        best = limit;
      }
    }
    return best;
  }

  private void control(String name, SignsOfLife signs) {
    // One that has just been resumed is heard again first.
    bench.settle();
    signs.begin();
    bench.settle();
    outcome.add(name, Metric.MILLISECONDS, signs.longestMillis());
  }
}
