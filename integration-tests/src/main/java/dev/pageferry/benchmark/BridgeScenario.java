package dev.pageferry.benchmark;

import com.google.gson.JsonParser;
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
  private static final Duration LIMIT = Duration.ofMinutes(1);
  private static final String MAC = "02:00:00:00:00:05";
  private static final String COORDINATOR = "10.99.0.254";
  private static final List<String> HOSTS = List.of("host-a", "host-b");
  private static final int WARM_UP_MOVES = 4;
  private static final Pattern LEARNED = Pattern
      .compile("Timestamp: (\\w+ \\w+ +\\d+ [\\d:]+ \\d+) (\\d+) usec\\s+" + MAC + " dev to-(\\S+) ");
  private static final Pattern FIRST_STEP = Pattern
      .compile("(?m)^(\\S+Z) .*stage=NETWORK_CLEANUP begins at the destination");
  private static final DateTimeFormatter KERNEL_TIME = DateTimeFormatter.ofPattern("EEE MMM d HH:mm:ss yyyy",
      Locale.ENGLISH);

  private final Bench bench;
  private final Outcome outcome = new Outcome("n3", "A bridge learns where the VM is");
  private final String prefix = "pfb" + ProcessHandle.current().pid() + "-";

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
    String obstacle = obstacle();
    if (obstacle != null) {
      outcome.skip(obstacle);
      return;
    }
    List<AutoCloseable> open = new ArrayList<>();
    CleanUp.Owned namespaces = bench.cleanUp().own(this::removeNamespaces);
    try {
      wire();
      measure(open);
    } finally {
      for (AutoCloseable each : open.reversed()) {
        close(each);
      }
      namespaces.close();
    }
    outcome.note(
        "Two hosts in network namespaces, each on a port of one bridge; idle VM. The moment is that of the kernel's"
            + " own notice (bridge monitor fdb); the first step is taken from the destination's log, which is written just behind"
            + " it, in whole milliseconds: so a figure may be below zero.");
  }

  private @Nullable String obstacle() {
    if (!"root".equals(System.getProperty("user.name"))) {
      return "Network namespaces need root, so no bridge is looked at.";
    }
    return Children.installed("ip") && Children.installed("bridge")
        ? null
        : "The commands ip and bridge are not installed.";
  }

  private void wire() {
    must("ip", "netns", "add", prefix + "bridge");
    in("bridge", "ip", "link", "set", "lo", "up");
    in("bridge", "ip", "link", "add", "br0", "type", "bridge");
    in("bridge", "ip", "addr", "add", COORDINATOR + "/24", "dev", "br0");
    in("bridge", "ip", "link", "set", "br0", "up");
    for (String host : HOSTS) {
      must("ip", "netns", "add", prefix + host);
      in(host, "ip", "link", "set", "lo", "up");
      in(host, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "to-" + host, "netns", prefix + "bridge");
      in("bridge", "ip", "link", "set", "to-" + host, "master", "br0", "up");
      in(host, "ip", "addr", "add", address(host) + "/24", "dev", "eth0");
      in(host, "ip", "link", "set", "eth0", "up");
    }
  }

  private static String address(String host) {
    return "10.99.0." + (1 + HOSTS.indexOf(host));
  }

  private void measure(List<AutoCloseable> open) {
    open.add(start("bridge", "coordinator/server", "ferry-coordinator", "--listen", COORDINATOR + ":7400", "--http",
        "127.0.0.1:0", "--data",
        "target/bench/bridge-data-" + prefix));
    List<Children.Running> agents = new ArrayList<>();
    for (String host : HOSTS) {
      Children.Running agent = start(host, "agent", "ferry-agent", "--host-id", host, "--coordinator",
          COORDINATOR + ":7400",
          "--listen",
          address(host) + ":7410", "--migration-listen", address(host) + ":7420", "--http", "127.0.0.1:0", "--memory",
          "512MiB", "--uplink", "eth0@7", "--run-dir", "target/bench/bridge-run-" + prefix);
      agents.add(agent);
      open.add(agent);
    }
    awaitHosts();
    ferry("vm", "create", "bench-bridge", "--host", "host-a", "--memory", "128MiB", "--nic", MAC + "@7");
    Children.Running monitor = bench.children().start(List.of("ip", "netns", "exec", prefix + "bridge", "env", "TZ=UTC",
        "bridge", "-t", "monitor", "fdb"));
    open.add(monitor);
    int moves = bench.quick() ? 3 : 10;
    for (int i = 1 - WARM_UP_MOVES; i <= moves; i++) {
      String to = HOSTS.get(Math.floorMod(i + WARM_UP_MOVES, 2));
      ferry("migrate", "live", "bench-bridge", "--to", to);
      double millis = last(learnedOn(to, monitor.said())).toNanos() / 1e6
          - last(firstSteps(agents.get(HOSTS.indexOf(to)).said())).toNanos() / 1e6;
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

  private void awaitHosts() {
    long deadline = System.nanoTime() + LIMIT.toNanos();
    while (true) {
      Children.Result result = bench.children().run(LIMIT, ferryWords("host", "list"));
      if (result.exitCode() == 0 && JsonParser.parseString(result.output()).getAsJsonObject().getAsJsonArray("hosts")
          .size() == HOSTS.size()) {
        return;
      }
      if (System.nanoTime() - deadline > 0) {
        throw new BenchmarkException("the hosts did not come up: " + result.complaint());
      }
      bench.settle();
    }
  }

  private Children.Running start(String namespace, String module, String program, String... words) {
    List<String> all = new ArrayList<>(List.of("ip", "netns", "exec", prefix + namespace,
        "%s/target/dist/%s/bin/%s".formatted(module, program, program)));
    all.addAll(List.of(words));
    return bench.children().start(all);
  }

  private List<String> ferryWords(String... words) {
    List<String> all = new ArrayList<>(
        List.of("ip", "netns", "exec", prefix + "bridge", "scripts/ferry", "--coordinator",
            COORDINATOR + ":7400", "-o", "json"));
    all.addAll(List.of(words));
    return all;
  }

  private void ferry(String... words) {
    must(ferryWords(words).toArray(String[]::new));
  }

  private void in(String namespace, String... words) {
    List<String> all = new ArrayList<>(List.of("ip", "netns", "exec", prefix + namespace));
    all.addAll(List.of(words));
    must(all.toArray(String[]::new));
  }

  private void must(String... words) {
    Children.Result result = bench.children().run(LIMIT, List.of(words));
    if (result.exitCode() != 0) {
      throw new BenchmarkException(String.join(" ", words) + ": " + result.complaint());
    }
  }

  private void removeNamespaces() {
    List<String> all = new ArrayList<>(HOSTS);
    all.add("bridge");
    all.forEach(each -> bench.children().run(LIMIT, List.of("ip", "netns", "del", prefix + each)));
  }

  private static void close(AutoCloseable running) {
    try {
      running.close();
    } catch (Exception e) {
      throw new BenchmarkException("a program did not end: " + e.getMessage(), e);
    }
  }
}
