package dev.pageferry.benchmark;

import java.nio.file.Path;
import java.time.Duration;

/** Q2: time from command to end for a Linux guest whose RAM is full of real files, by Pageferry and by QEMU alone. */
final class GuestTotalTimeScenario implements Scenario {
  private final Bench bench;
  private final LinuxGuest guest;
  private final long memoryBytes;
  private final Outcome outcome = new Outcome("q2", "Total time of Linux guests");

  GuestTotalTimeScenario(Bench bench, LinuxGuest guest, long memoryBytes) {
    this.bench = bench;
    this.guest = guest;
    this.memoryBytes = memoryBytes;
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    Cluster cluster = bench.requireCluster();
    long mib = memoryBytes / Bench.MEBIBYTE;
    LinuxGuest.Spec spec = filled(cluster.operator(), cluster.storage().resolve("disks"), "bench-total", memoryBytes,
        "");
    bench.progress().say("Q2: booting two guests of %d MiB, which fill it with files", mib);
    try (FerryMachine ours = new FerryMachine(bench, cluster.operator(), guest, spec, HostNamespaces.HOSTS);
        PlainMachine plain = new PlainMachine(bench, guest, spec, PlainMachine.Place.LOOPBACK)) {
      ours.warmUp(bench.quick() ? 2 : Bench.WARM_UP_MOVES);
      PlainMachine.Moved _ = plain.move(QemuMachine.DOWNTIME_LIMIT_MILLIS);
      for (int pair = 1; pair <= bench.pairs(); pair++) {
        measure(ours, plain, pair);
      }
    }
    outcome.note(
        ("Guests of %d MiB, four fifths of it files of this machine in a tmpfs, the rest page cache of the same; idle."
            + " Pageferry: totalSeconds, from the accepted request until the running guest was acknowledged, which includes setup: there"
            + " the destination sets all memory aside. The command that asks for it has ended by then: a JVM that starts takes half a second"
            + " of a processor, an operator's is another machine's; what it costs here is shown beside it. QEMU alone: from the migrate command until the guest runs and the"
            + " source says completed; its destination, with all memory there and warm, was started before (shown as preparation).")
            .formatted(mib));
  }

  /** One that fills four fifths of its memory from a disk of that content. */
  static LinuxGuest.Spec filled(Operator ferry, Path disks, String name, long memoryBytes,
      String settings) {
    long loadMib = memoryBytes / Bench.MEBIBYTE * 4 / 5;
    ferry.json(Duration.ofMinutes(1), "disk", "create", name, "--size", loadMib + "MiB", "--format", "raw");
    RealContent content = new RealContent(name, disks.resolve(name + ".raw"));
    content.fill();
    return new LinuxGuest.Spec(name, memoryBytes, "ferry.load=" + loadMib + " " + settings, content);
  }

  private void measure(FerryMachine ours, PlainMachine plain, int pair) {
    plain.pause();
    Move watched = ours.move();
    bench.settle();
    Move move = ours.moveUnwatched();
    bench.settle();
    ours.pause();
    plain.resume();
    PlainMachine.Moved moved = plain.move(QemuMachine.DOWNTIME_LIMIT_MILLIS);
    ours.resume();
    outcome.add("Pageferry ÷ QEMU", Metric.RATIO, move.totalSeconds() / moved.totalSeconds(), Goal.medianAtMost(1.3));
    outcome.add("Pageferry without setup ÷ QEMU", Metric.RATIO, move.afterSetupSeconds() / moved.totalSeconds());
    outcome.add("Pageferry with setup ÷ QEMU with preparation", Metric.RATIO,
        move.totalSeconds() / (moved.totalSeconds() + moved.preparationSeconds()));
    outcome.add("Pageferry: total", Metric.SECONDS, move.totalSeconds());
    outcome.add("Pageferry: setup", Metric.SECONDS, move.setupSeconds());
    outcome.add("Pageferry: total while ferry follows it", Metric.SECONDS, watched.totalSeconds());
    outcome.add("Pageferry: whole ferry command", Metric.SECONDS, watched.commandSeconds());
    outcome.add("QEMU: total", Metric.SECONDS, moved.totalSeconds());
    outcome.add("QEMU: preparation", Metric.SECONDS, moved.preparationSeconds());
    outcome.add("blackout, Pageferry", Metric.MILLISECONDS, move.blackoutSeconds() * 1e3);
    outcome.add("blackout, QEMU", Metric.MILLISECONDS, moved.blackoutSeconds() * 1e3);
    outcome.add("sent by Pageferry", "MB", move.bytesSent() / 1e6);
    outcome.add("sent by QEMU", "MB", moved.bytes() / 1e6);
    bench.progress().say("Q2: pair %d of %d: Pageferry %.2f s (setup %.2f s), QEMU %.2f s (preparation %.2f s)", pair,
        bench.pairs(), move.totalSeconds(), move.setupSeconds(), moved.totalSeconds(), moved.preparationSeconds());
  }
}
