package dev.pageferry.benchmark;

import com.google.gson.JsonObject;
import dev.pageferry.membership.ClusterCertificates;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A coordinator and two hosts in network namespaces, each host on a port of one Linux bridge, the coordinator where the bridge is.
 * Needs root. All of it is gone when closed.
 */
final class HostNamespaces implements AutoCloseable {
  static final List<String> HOSTS = List.of("host-a", "host-b");
  /** The namespace of the bridge and the coordinator. */
  static final String BRIDGE = "bridge";
  private static final String COORDINATOR = "10.99.0.254";
  private static final Duration LIMIT = Duration.ofMinutes(1);

  private final Bench bench;
  private final String prefix;
  private final CleanUp.Owned owned;
  private final ClusterCertificates certificates;
  private final List<Children.Running> running = new ArrayList<>();

  /** @param name short: it is a part of the namespaces' names */
  HostNamespaces(Bench bench, String name) {
    this.bench = bench;
    this.prefix = name + ProcessHandle.current().pid() + "-";
    try {
      certificates = new ClusterCertificates(
          Files.createTempDirectory(Files.createDirectories(Path.of("target/bench")), "pki-").toAbsolutePath());
    } catch (IOException e) {
      throw new BenchmarkException("no certificates: " + e.getMessage(), e);
    }
    owned = bench.cleanUp().own(this::remove);
    try {
      wire();
    } catch (RuntimeException e) {
      owned.close();
      throw e;
    }
  }

  /** Why there can be none here; null if there can. */
  static @Nullable String obstacle(String... programs) {
    if (!"root".equals(System.getProperty("user.name"))) {
      return "Network namespaces need root.";
    }
    for (String each : programs) {
      if (!Children.installed(each)) {
        return "The command " + each + " is not installed.";
      }
    }
    return null;
  }

  private void wire() {
    must("ip", "netns", "add", prefix + BRIDGE);
    in(BRIDGE, "ip", "link", "set", "lo", "up");
    in(BRIDGE, "ip", "link", "add", "br0", "type", "bridge");
    in(BRIDGE, "ip", "addr", "add", COORDINATOR + "/24", "dev", "br0");
    in(BRIDGE, "ip", "link", "set", "br0", "up");
    for (String host : HOSTS) {
      must("ip", "netns", "add", prefix + host);
      in(host, "ip", "link", "set", "lo", "up");
      in(host, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "to-" + host, "netns", prefix + BRIDGE);
      in(BRIDGE, "ip", "link", "set", "to-" + host, "master", "br0", "up");
      in(host, "ip", "addr", "add", address(host) + "/24", "dev", "eth0");
      in(host, "ip", "link", "set", "eth0", "up");
    }
  }

  static String address(String host) {
    return "10.99.0." + (1 + HOSTS.indexOf(host));
  }

  /** Lets no host send more than that: a bucket of tokens (tbf), as {@code tc(8)} takes its arguments. */
  void cap(String rate, String burst, String latency) {
    HOSTS.forEach(host -> in(host, "tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", rate, "burst", burst,
        "latency", latency));
  }

  /** Bytes that a host has sent, with all headers. */
  long sentBytes(String host) {
    return Long.parseLong(in(host, "cat", "/sys/class/net/eth0/statistics/tx_bytes").strip());
  }

  /**
   * Starts the coordinator and both agents.
   *
   * @return the agents, in the order of {@link #HOSTS}
   */
  List<Children.Running> start(String memory, String... agentOptions) {
    List<String> coordinator = new ArrayList<>(List.of("--listen", COORDINATOR + ":7400", "--http", "127.0.0.1:0",
        "--data", "target/bench/data-" + prefix));
    coordinator.addAll(options(ClusterCertificates::ofCoordinator));
    program(BRIDGE, "coordinator/server", "ferry-coordinator", coordinator.toArray(String[]::new));
    awaitCoordinator();
    List<Children.Running> agents = new ArrayList<>();
    for (String host : HOSTS) {
      List<String> words = new ArrayList<>(List.of("--host-id", host, "--coordinator", COORDINATOR + ":7400",
          "--listen", address(host) + ":7410", "--migration-listen", address(host) + ":7420", "--http", "127.0.0.1:0",
          "--memory", memory, "--run-dir", "target/bench/run-" + prefix));
      words.addAll(options(certificates -> certificates.ofHost(host)));
      words.addAll(List.of(agentOptions));
      agents.add(program(host, "agent", "ferry-agent", words.toArray(String[]::new)));
    }
    awaitHosts();
    return agents;
  }

  /** What certificates give a program that is to be a member. */
  private interface Options {
    List<String> of(ClusterCertificates certificates) throws IOException;
  }

  private List<String> options(Options options) {
    try {
      return options.of(certificates);
    } catch (IOException e) {
      throw new BenchmarkException("no certificate: " + e.getMessage(), e);
    }
  }

  /** Beyond loopback members know each other by certificates, and hosts are taken in. */
  private void awaitCoordinator() {
    List<String> words = new ArrayList<>(List.of("host", "admit"));
    words.addAll(HOSTS);
    await("the coordinator did not come up", words.toArray(String[]::new), result -> result.exitCode() == 0);
  }

  private void awaitHosts() {
    await("the hosts did not come up", new String[]{"host", "list"}, result -> result.exitCode() == 0
        && Operator.parse(result, "host list").getAsJsonArray("hosts").size() == HOSTS.size());
  }

  private void await(String complaint, String[] words, Predicate<Children.Result> isEnough) {
    long deadline = System.nanoTime() + LIMIT.toNanos();
    while (true) {
      Children.Result result = operator().run(LIMIT, words);
      if (isEnough.test(result)) {
        return;
      }
      if (System.nanoTime() - deadline > 0) {
        throw new BenchmarkException(complaint + ": " + result.complaint());
      }
      bench.settle();
    }
  }

  /** The operator's command, where the coordinator is. */
  Operator operator() {
    List<String> words = new ArrayList<>(List.of("scripts/ferry", "--coordinator", COORDINATOR + ":7400"));
    words.addAll(options(ClusterCertificates::ofOperatorAsOptions));
    return new Operator(bench.children(), within(BRIDGE, words.toArray(String[]::new)));
  }

  /** Runs the operator's command, which must succeed. */
  JsonObject ferry(String... words) {
    return operator().json(LIMIT, words);
  }

  /** Starts a program in a namespace. It ends before the namespaces do. */
  Children.Running start(String namespace, List<String> words) {
    Children.Running started = bench.children().start(within(namespace, words.toArray(String[]::new)));
    running.add(started);
    return started;
  }

  private Children.Running program(String namespace, String module, String name, String... words) {
    List<String> all = new ArrayList<>(List.of("%s/target/dist/%s/bin/%s".formatted(module, name, name)));
    all.addAll(List.of(words));
    return start(namespace, all);
  }

  /** The words that run a command in a namespace. */
  List<String> within(String namespace, String... words) {
    List<String> all = new ArrayList<>(List.of("ip", "netns", "exec", prefix + namespace));
    all.addAll(List.of(words));
    return all;
  }

  private String in(String namespace, String... words) {
    return must(within(namespace, words).toArray(String[]::new));
  }

  private String must(String... words) {
    Children.Result result = bench.children().run(LIMIT, List.of(words));
    if (result.exitCode() != 0) {
      throw new BenchmarkException(String.join(" ", words) + ": " + result.complaint());
    }
    return result.output();
  }

  private void remove() {
    List<String> all = new ArrayList<>(HOSTS);
    all.add(BRIDGE);
    all.forEach(each -> bench.children().run(LIMIT, List.of("ip", "netns", "del", prefix + each)));
  }

  @Override
  public void close() {
    running.reversed().forEach(Children.Running::close);
    owned.close();
  }
}
