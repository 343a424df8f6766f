package dev.pageferry.benchmark;

import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * N3: when a Linux bridge between two hosts in network namespaces learns a moved VM's new port, by the kernel's own clock.
 * The VM is asked nothing, so that it sends nothing. Needs root.
 */
final class BridgeScenario implements Scenario {
  private static final String MAC = "02:00:00:00:00:05";
  private static final int WARM_UP_MOVES = 4;
  private static final Pattern LEARNED = Pattern
      .compile("Timestamp: (\\w+ \\w+ +\\d+ [\\d:]+ \\d+) (\\d+) usec\\s+" + MAC + " dev to-(\\S+) ");
  private static final Pattern FIRST_STEP = Pattern
      .compile("(?m)^(\\S+Z) .*stage=NETWORK_CLEANUP begins at the destination");
  private static final DateTimeFormatter KERNEL_TIME = DateTimeFormatter.ofPattern("EEE MMM d HH:mm:ss yyyy",
      Locale.ENGLISH);

  private final Bench bench;
  private final Outcome outcome = new Outcome("n3", "A bridge learns where the VM is");

  BridgeScenario(Bench bench) {
    this.bench = bench;
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    @Nullable
    String obstacle = HostNamespaces.obstacle("ip", "bridge");
    if (obstacle != null) {
      outcome.skip(obstacle);
      return;
    }
    try (HostNamespaces namespaces = new HostNamespaces(bench, "pfb")) {
      measure(namespaces);
    }
    outcome.note(
        "Two hosts in network namespaces, each on a port of one bridge; idle VM. The moment is that of the kernel's"
            + " own notice (bridge monitor fdb); the first step is taken from the destination's log, which is written just behind"
            + " it, in whole milliseconds: so a figure may be below zero.");
  }

  private void measure(HostNamespaces namespaces) {
    List<Children.Running> agents = namespaces.start("512MiB", "--uplink", "eth0@7");
    namespaces.ferry("vm", "create", "bench-bridge", "--host", "host-a", "--memory", "128MiB", "--nic", MAC + "@7");
    Children.Running monitor = namespaces.start(HostNamespaces.BRIDGE, List.of("env", "TZ=UTC", "bridge", "-t",
        "monitor", "fdb"));
    int moves = bench.quick() ? 3 : 10;
    for (int i = 1 - WARM_UP_MOVES; i <= moves; i++) {
      String to = HostNamespaces.HOSTS.get(Math.floorMod(i + WARM_UP_MOVES, 2));
      namespaces.ferry("migrate", "live", "bench-bridge", "--to", to);
      double millis = last(learnedOn(to, monitor.said())).toNanos() / 1e6
          - last(firstSteps(agents.get(HostNamespaces.HOSTS.indexOf(to)).said())).toNanos() / 1e6;
      if (i > 0) {
        outcome.add("new port learned, after the first step", Metric.MILLISECONDS, millis, Goal.maxAtMost(10));
        bench.progress().say("N3: move %d of %d: learned %.2f ms after the first step", i, moves, millis);
      }
    }
  }

  private static List<Duration> learnedOn(String host, String said) {
    List<Duration> times = new ArrayList<>();
    Matcher each = LEARNED.matcher(said);
    while (each.find()) {
      if (each.group(3).equals(host)) {
        Instant second = LocalDateTime.parse(each.group(1).replaceAll(" +", " "), KERNEL_TIME)
            .toInstant(ZoneOffset.UTC);
        times.add(Duration.between(Instant.EPOCH, second).plusNanos(Long.parseLong(each.group(2)) * 1000));
      }
    }
    return times;
  }

  private static List<Duration> firstSteps(String said) {
    List<Duration> times = new ArrayList<>();
    Matcher each = FIRST_STEP.matcher(said);
    while (each.find()) {
      times.add(Duration.between(Instant.EPOCH, Instant.parse(each.group(1))));
    }
    return times;
  }

  private static Duration last(List<Duration> times) {
    if (times.isEmpty()) {
      throw new BenchmarkException("the bridge or the destination said nothing of the move");
    }
    return times.getLast();
  }
}
