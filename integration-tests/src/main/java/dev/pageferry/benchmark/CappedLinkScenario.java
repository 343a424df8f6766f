package dev.pageferry.benchmark;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Q3: a Linux guest that writes 30 MB/s, full of real files, over a link of 1 Gbit/s between network namespaces. Needs root. */
final class CappedLinkScenario implements Scenario {
  private static final String RATE = "1gbit";
  private static final String BURST = "256kb";
  private static final String LATENCY = "10ms";
  private static final long HOST_EXTRA_BYTES = 512 * Bench.MEBIBYTE;
  private static final int MOST_PAIRS = 4;

  private final Bench bench;
  private final LinuxGuest guest;
  private final long memoryBytes;
  private final Outcome outcome = new Outcome("q3", "Linux guests over 1 Gbit/s");

  CappedLinkScenario(Bench bench, LinuxGuest guest, long memoryBytes) {
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
    @Nullable
    String obstacle = HostNamespaces.obstacle("ip", "tc");
    if (obstacle != null) {
      outcome.skip(obstacle);
      return;
    }
    Path storage = Path.of("target", "bench", "capped-storage").toAbsolutePath();
    try (HostNamespaces namespaces = new HostNamespaces(bench, "pfq")) {
      namespaces.cap(RATE, BURST, LATENCY);
      RealContent.emptyDirectory(storage);
      List<Children.Running> _ = namespaces.start((memoryBytes + HOST_EXTRA_BYTES) / Bench.MEBIBYTE + "MiB",
          "--storage", storage.toString(), "--allow-path", guest.directory().toString());
      measure(namespaces, storage);
    }
    outcome.note(
        ("Guests of %d MiB, most of it files of this machine; each writes about 30 MB/s over 64 MiB. Hosts in network"
            + " namespaces; each may send 1 Gbit/s (tc tbf, burst %s, latency %s). Bytes: all that the source's interface sent during"
            + " the move, headers included. QEMU alone: its defaults, but max-bandwidth unlimited.").formatted(
                memoryBytes / Bench.MEBIBYTE, BURST, LATENCY));
  }

  private void measure(HostNamespaces namespaces, Path storage) {
    LinuxGuest.Spec spec = GuestTotalTimeScenario.filled(namespaces.operator(), storage.resolve("disks"),
        "bench-capped", memoryBytes - 128 * Bench.MEBIBYTE, "ferry.write=30");
    LinuxGuest.Spec larger = new LinuxGuest.Spec(spec.name(), memoryBytes, spec.settings(), spec.disk());
    List<PlainMachine.Place> places = new ArrayList<>();
    for (String host : HostNamespaces.HOSTS) {
      places.add(new PlainMachine.Place(HostNamespaces.address(host),
          words -> namespaces.within(host, words.toArray(String[]::new))));
    }
    bench.progress().say("Q3: booting two guests of %d MiB, which fill it with files", memoryBytes / Bench.MEBIBYTE);
    try (FerryMachine ours = new FerryMachine(bench, namespaces.operator(), guest, larger, HostNamespaces.HOSTS);
        PlainMachine plain = new PlainMachine(bench, guest, larger, places)) {
      plain.pause();
      ours.warmUp(bench.quick() ? 1 : 2);
      int pairs = Math.min(MOST_PAIRS, bench.pairs());
      for (int pair = 1; pair <= pairs; pair++) {
        measure(namespaces, ours, plain, "%d of %d".formatted(pair, pairs));
      }
    }
  }

  private void measure(HostNamespaces namespaces, FerryMachine ours, PlainMachine plain, String which) {
    String source = ours.host();
    long sent = namespaces.sentBytes(source);
    Move move = ours.move();
    long ourBytes = namespaces.sentBytes(source) - sent;
    ours.pause();
    plain.resume();
    bench.settle();
    source = HostNamespaces.HOSTS.get(plain.at());
    sent = namespaces.sentBytes(source);
    PlainMachine.Moved moved = plain.move(QemuMachine.DOWNTIME_LIMIT_MILLIS);
    long plainBytes = namespaces.sentBytes(source) - sent;
    plain.pause();
    ours.resume();
    bench.settle();
    outcome.add("time: Pageferry ÷ QEMU", Metric.RATIO, move.totalSeconds() / moved.totalSeconds(),
        Goal.medianAtMost(1.05));
    outcome.add("bytes: Pageferry ÷ QEMU", Metric.RATIO, (double) ourBytes / plainBytes, Goal.medianAtMost(1));
    outcome.add("blackout: Pageferry ÷ QEMU", Metric.RATIO, move.blackoutSeconds() / moved.blackoutSeconds(),
        Goal.medianAtMost(1));
    outcome.add("total, Pageferry", Metric.SECONDS, move.totalSeconds());
    outcome.add("total, QEMU", Metric.SECONDS, moved.totalSeconds());
    outcome.add("setup, Pageferry", Metric.SECONDS, move.setupSeconds());
    outcome.add("sent, Pageferry", "MB", ourBytes / 1e6);
    outcome.add("sent, QEMU", "MB", plainBytes / 1e6);
    outcome.add("blackout, Pageferry", Metric.MILLISECONDS, move.blackoutSeconds() * 1e3);
    outcome.add("blackout, QEMU", Metric.MILLISECONDS, moved.blackoutSeconds() * 1e3);
    bench.progress().say("Q3: pair %s: Pageferry %.2f s, %.0f MB, %.1f ms; QEMU %.2f s, %.0f MB, %.1f ms", which,
        move.totalSeconds(), ourBytes / 1e6, move.blackoutSeconds() * 1e3, moved.totalSeconds(), plainBytes / 1e6,
        moved.blackoutSeconds() * 1e3);
  }
}
