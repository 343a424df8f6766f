package dev.pageferry.support;

import dev.pageferry.common.identity.Names;
import dev.pageferry.membership.ClusterCertificates;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Hosts in network namespaces of their own, joined by a Linux bridge: {@code host-a}, {@code host-b} and a machine that is no
 * host, {@code client}. The coordinator is in the bridge's namespace. Needs root; all of it is gone when closed.
 */
public final class NamespaceLab implements AutoCloseable {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final Pattern LISTENING = Pattern.compile("listening: grpc");
  private static final Pattern REGISTERED = Pattern.compile("registered with the coordinator");
  private static final String BRIDGE = "bridge";
  private static final String COORDINATOR = "10.99.0.254";
  /** Each with its address on the bridge, in its second byte from the right the same. */
  private static final Map<String, String> MACHINES = Map.of("host-a", "10.99.0.1", "host-b", "10.99.0.2", "client",
      "10.99.0.3");

  private final String prefix = "pf" + ProcessHandle.current().pid() + "-";
  private final ClusterCertificates certificates;
  private final Path directory;
  private final String memory;
  private final Map<String, ServerProcess> processes = new LinkedHashMap<>();

  /** Why there can be no lab here; empty if there can. */
  public static Optional<String> obstacle() throws IOException, InterruptedException {
    if (!"root".equals(System.getProperty("user.name"))) {
      return Optional.of("network namespaces need root");
    }
    for (String each : List.of("ip", "bridge", "ping", "ethtool")) {
      if (CommandResult.of(List.of("bash", "-c", "command -v " + each), Map.of()).exitCode() != 0) {
        return Optional.of("the command %s is not installed".formatted(each));
      }
    }
    String name = "pf" + ProcessHandle.current().pid() + "-try";
    try {
      CommandResult made = CommandResult.of(List.of("ip", "netns", "add", name), Map.of());
      if (made.exitCode() != 0) {
        return Optional.of("no network namespace can be made: " + made.errors().strip());
      }
      for (String type : List.of("bridge", "vxlan id 1 dstport 4789 local 10.99.0.1")) {
        List<String> add = new ArrayList<>(List.of("ip", "-n", name, "link", "add", "try0", "type"));
        add.addAll(List.of(type.split(" ")));
        CommandResult device = CommandResult.of(add, Map.of());
        CommandResult unused = CommandResult.of(List.of("ip", "-n", name, "link", "del", "try0"), Map.of());
        if (device.exitCode() != 0) {
          return Optional.of("the kernel makes no %s device: %s".formatted(type.split(" ")[0],
              device.errors().strip()));
        }
      }
      return Optional.empty();
    } finally {
      CommandResult unused = CommandResult.of(List.of("ip", "netns", "del", name), Map.of());
    }
  }

  /** @param agentOptions of both agents, beside where they listen */
  public NamespaceLab(String... agentOptions) throws IOException, InterruptedException {
    this("512MiB", List.of(agentOptions));
  }

  /** With storage that both hosts share, and machines of QEMU from where {@link LinuxGuest} keeps them. */
  public static NamespaceLab forMachines(String memory) throws IOException, InterruptedException {
    Path storage = Files.createTempDirectory(Files.createDirectories(ROOT.resolve("integration-tests/target/scenario")),
        "namespaces-storage-");
    return new NamespaceLab(memory,
        List.of("--storage", storage.toString(), "--allow-path", LinuxGuest.DIRECTORY.toString()));
  }

  private NamespaceLab(String memory, List<String> agentOptions) throws IOException, InterruptedException {
    this.memory = memory;
    directory = Files.createTempDirectory(Files.createDirectories(ROOT.resolve("integration-tests/target/scenario")),
        "namespaces-");
    certificates = new ClusterCertificates(directory.resolve("pki"));
    try {
      wire();
      List<String> arguments = new ArrayList<>(List.of("--listen", COORDINATOR + ":7400", "--http", "127.0.0.1:0",
          "--data", directory.resolve("data").toString()));
      arguments.addAll(certificates.ofCoordinator());
      start(BRIDGE, "ferry-coordinator", LISTENING, arguments.toArray(String[]::new));
      List<String> hosts = List.of("host-a", "host-b");
      for (String host : hosts) {
        requireDone(ferry("host", "admit", host));
        startAgent(host, agentOptions);
      }
    } catch (IOException | InterruptedException | RuntimeException e) {
      close();
      throw e;
    }
  }

  private void wire() throws IOException, InterruptedException {
    require("ip", "netns", "add", prefix + BRIDGE);
    in(BRIDGE, "ip", "link", "set", "lo", "up");
    in(BRIDGE, "ip", "link", "add", "br0", "type", "bridge");
    in(BRIDGE, "ip", "addr", "add", COORDINATOR + "/24", "dev", "br0");
    in(BRIDGE, "ip", "link", "set", "br0", "up");
    for (Map.Entry<String, String> each : MACHINES.entrySet()) {
      String machine = Names.check("machine", each.getKey());
      require("ip", "netns", "add", prefix + machine);
      in(machine, "ip", "link", "set", "lo", "up");
      in(machine, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "to-" + machine, "netns",
          prefix + BRIDGE);
      in(BRIDGE, "ip", "link", "set", "to-" + machine, "master", "br0", "up");
      in(machine, "ip", "addr", "add", each.getValue() + "/24", "dev", "eth0");
      in(machine, "ip", "link", "set", "eth0", "up");
    }
  }

  private void startAgent(String host, List<String> options) throws IOException {
    String address = address(host);
    List<String> arguments = new ArrayList<>(List.of("--host-id", host, "--coordinator", COORDINATOR + ":7400",
        "--listen", address + ":7410", "--migration-listen", address + ":7420", "--vxlan-listen", address + ":4789",
        "--http", "127.0.0.1:0", "--memory", memory, "--rehearse", "false", "--run-dir",
        directory.resolve("run-of-" + host).toString()));
    arguments.addAll(certificates.ofHost(host));
    arguments.addAll(options);
    start(host, "ferry-agent", REGISTERED, arguments.toArray(String[]::new));
  }

  private void start(String machine, String program, Pattern ready, String... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of("netns", "exec", prefix + machine,
        Distribution.PRESENT.program(program).toString()));
    command.addAll(List.of(arguments));
    ServerProcess process = new ServerProcess(Path.of("ip"), command, directory.resolve(machine + ".log"));
    processes.put(machine, process);
    process.start(ready);
  }

  /** The address of a machine on the bridge. */
  public static String address(String machine) {
    return Objects.requireNonNull(MACHINES.get(machine));
  }

  /** Runs the operator's command where the coordinator is. */
  public CommandResult ferry(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("ip", "netns", "exec", prefix + BRIDGE,
        Distribution.PRESENT.program("ferry").toString()));
    command.addAll(List.of(arguments));
    Map<String, String> variables = new HashMap<>(certificates.ofOperator());
    variables.put("FERRY_COORDINATOR", COORDINATOR + ":7400");
    return CommandResult.of(command, variables);
  }

  /** A host of the kernel's own on the network of VMs with that number, whose card there is called {@code vx}. */
  public void joinByVxlan(String machine, int vni, String addressWithBits) throws IOException, InterruptedException {
    requireDone(ferry("vtep", "add", machine, "--address", address(machine) + ":4789", "--vni", String.valueOf(vni)));
    in(machine, "ip", "link", "add", "vx", "type", "vxlan", "id", String.valueOf(vni), "dstport", "4789", "local",
        address(machine));
    for (String host : List.of("host-a", "host-b")) {
      in(machine, "bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "vx", "dst", address(host));
    }
    // The kernel leaves checksums of TCP to the card below, and a pair of virtual ones never computes them.
    in(machine, "ethtool", "-K", "vx", "tx", "off");
    in(machine, "ip", "addr", "add", addressWithBits, "dev", "vx");
    in(machine, "ip", "link", "set", "vx", "up");
  }

  private static void requireDone(CommandResult result) {
    if (result.exitCode() != 0) {
      throw new IllegalStateException(result.errors());
    }
  }

  /** Starts a program there; the caller ends it. */
  public Process startIn(String machine, List<String> program) throws IOException {
    List<String> command = new ArrayList<>(List.of("ip", "netns", "exec", prefix + machine));
    command.addAll(program);
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  /** Runs a command on a machine, or where the bridge is, and requires that it succeeds. */
  public String in(String machine, String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("ip", "netns", "exec", prefix + machine));
    command.addAll(List.of(arguments));
    return require(command.toArray(String[]::new));
  }

  /** What the bridge has learned: address and port of each station. */
  public String bridgeTable() throws IOException, InterruptedException {
    return in(BRIDGE, "bridge", "fdb", "show", "br", "br0");
  }

  private static String require(String... command) throws IOException, InterruptedException {
    CommandResult result = CommandResult.of(List.of(command), Map.of());
    if (result.exitCode() != 0) {
      throw new IllegalStateException("%s: %d %s%s".formatted(String.join(" ", command), result.exitCode(),
          result.output(), result.errors()));
    }
    return result.output();
  }

  @Override
  public void close() throws IOException, InterruptedException {
    for (ServerProcess each : processes.values().stream().toList().reversed()) {
      each.close();
    }
    List<String> namespaces = new ArrayList<>(MACHINES.keySet());
    namespaces.add(BRIDGE);
    for (String each : namespaces) {
      CommandResult unused = CommandResult.of(List.of("ip", "netns", "del", prefix + each), Map.of());
    }
  }
}
