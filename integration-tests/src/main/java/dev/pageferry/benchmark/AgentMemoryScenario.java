package dev.pageferry.benchmark;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Q5: what an agent itself needs for each guest, beside RAM and QEMU. */
final class AgentMemoryScenario implements Scenario {
  private static final long MEMORY_BYTES = 96 * Bench.MEBIBYTE;
  private static final int LOOKS = 4;
  private static final Duration LIMIT = Duration.ofMinutes(1);
  private static final Pattern ANONYMOUS = Pattern.compile("(?m)^RssAnon:\\s+(\\d+) kB$");
  private static final Pattern USED = Pattern.compile("(?m)^ ?(?!.*Metaspace|.*class space).*\\bused (\\d+)[Kk]");

  private final Bench bench;
  private final LinuxGuest guest;
  private final Outcome outcome = new Outcome("q5", "Memory of an agent for each guest");

  AgentMemoryScenario(Bench bench, LinuxGuest guest) {
    this.bench = bench;
    this.guest = guest;
  }

  /** @param heapBytes of objects that are in use; -1 where it cannot be told */
  private record Memory(long anonymousBytes, long heapBytes) {
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    int guests = bench.quick() ? 2 : 8;
    Cluster cluster = bench.requireCluster();
    List<FerryMachine> machines = new ArrayList<>();
    try {
      // The first brings code with it that all use.
      machines.add(boot(cluster, 0));
      machines.getFirst().warmUp(2);
      Memory before = least(cluster);
      for (int i = 1; i <= guests; i++) {
        machines.add(boot(cluster, i));
        bench.progress().say("Q5: guest %d of %d is up", i, guests);
      }
      Memory after = least(cluster);
      double anonymousMib = (after.anonymousBytes() - before.anonymousBytes()) / (double) Bench.MEBIBYTE / guests;
      outcome.add("agent, for each guest", "MiB", anonymousMib, Goal.maxAtMost(8));
      outcome.add("agent, before", "MiB", (double) before.anonymousBytes() / Bench.MEBIBYTE);
      outcome.add("agent, with " + guests + " more", "MiB", (double) after.anonymousBytes() / Bench.MEBIBYTE);
      if (before.heapBytes() >= 0 && after.heapBytes() >= 0) {
        outcome.add("objects in use, for each guest", "MiB",
            (after.heapBytes() - before.heapBytes()) / (double) Bench.MEBIBYTE / guests);
      }
    } finally {
      machines.forEach(FerryMachine::close);
    }
    outcome.note(
        "Anonymous memory of the agent's process (RssAnon) after a full garbage collection, with one guest and with %d more:"
            .formatted(guests)
            + " what the heap grew by is in it, whether in use or not. The mapping of a guest's RAM is not.");
  }

  private FerryMachine boot(Cluster cluster, int number) {
    return new FerryMachine(bench, cluster.operator(), guest,
        new LinuxGuest.Spec("bench-small-" + number, MEMORY_BYTES, "", null), HostNamespaces.HOSTS);
  }

  /** The least of some looks: what else the agent does passes. */
  private Memory least(Cluster cluster) {
    Memory least = ofAgent(cluster);
    for (int i = 0; i < (bench.quick() ? 1 : LOOKS); i++) {
      bench.settle();
      Memory now = ofAgent(cluster);
      least = new Memory(Math.min(least.anonymousBytes(), now.anonymousBytes()),
          Math.min(least.heapBytes(), now.heapBytes()));
    }
    return least;
  }

  private Memory ofAgent(Cluster cluster) {
    try {
      String pid = Files.readString(cluster.directoryOf("host-a").resolve("pid")).strip();
      Path jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
      OptionalLong heap = OptionalLong.empty();
      if (Files.isExecutable(jcmd)) {
        bench.children().run(LIMIT, List.of(jcmd.toString(), pid, "GC.run"));
        heap = used(bench.children().run(LIMIT, List.of(jcmd.toString(), pid, "GC.heap_info")).output());
      }
      Matcher anonymous = ANONYMOUS.matcher(Files.readString(Path.of("/proc", pid, "status")));
      if (!anonymous.find()) {
        throw new BenchmarkException("/proc/" + pid + "/status has no RssAnon");
      }
      return new Memory(Long.parseLong(anonymous.group(1)) << 10, heap.orElse(-1));
    } catch (IOException e) {
      throw new BenchmarkException("the agent's memory: " + e.getMessage(), e);
    }
  }

  private static OptionalLong used(String heapInfo) {
    List<Long> parts = USED.matcher(heapInfo).results().map(each -> Long.parseLong(each.group(1)) << 10).toList();
    return parts.isEmpty() ? OptionalLong.empty() : OptionalLong.of(parts.stream().mapToLong(Long::longValue).sum());
  }
}
