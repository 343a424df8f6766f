package dev.pageferry.support;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Hosts in network namespaces of their own, as {@code scripts/lab} makes them: {@code host-a}, {@code host-b} and a machine that
 * is not a host, {@code client}. Needs root; all of it is gone when closed.
 */
public final class NamespaceLab implements AutoCloseable {
  /** Where the bridges are. */
  public static final String SWITCH = "switch";

  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final String SCRIPT = ROOT.resolve("scripts/lab").toString();
  /** By machine, the last byte of both its addresses. */
  private static final Map<String, Integer> NUMBERS = Map.of("host-a", 1, "host-b", 2, "client", 101);
  private static final int DONE = 0;

  private final String name;
  private final Path directory;

  /** Why there can be no lab here; empty if there can. */
  public static Optional<String> obstacle() throws IOException, InterruptedException {
    if (!"root".equals(System.getProperty("user.name"))) {
      return Optional.of("network namespaces need root");
    }
    for (String each : List.of("ip", "tc", "bridge", "ping", "ethtool")) {
      if (CommandResult.of(List.of("bash", "-c", "command -v " + each), Map.of()).exitCode() != DONE) {
        return Optional.of("the command %s is not installed".formatted(each));
      }
    }
    String name = prefix() + "-try";
    try {
      CommandResult made = CommandResult.of(List.of("ip", "netns", "add", name), Map.of());
      if (made.exitCode() != DONE) {
        return Optional.of("no network namespace can be made: " + made.errors().strip());
      }
      for (String type : List.of("bridge", "vxlan id 1 dstport 4789 local 10.98.0.1")) {
        List<String> add = new ArrayList<>(List.of("ip", "-n", name, "link", "add", "try0", "type"));
        add.addAll(List.of(type.split(" ")));
        CommandResult device = CommandResult.of(add, Map.of());
        CommandResult unused = CommandResult.of(List.of("ip", "-n", name, "link", "del", "try0"), Map.of());
        if (device.exitCode() != DONE) {
          return Optional.of("the kernel makes no %s device: %s".formatted(type.split(" ")[0],
              device.errors().strip()));
        }
      }
      CommandResult limited = CommandResult.of(List.of("tc", "-n", name, "qdisc", "add", "dev", "lo", "root", "tbf",
          "rate", "1gbit", "burst", "128kb", "latency", "20ms"), Map.of());
      return limited.exitCode() == DONE
          ? Optional.empty()
          : Optional.of("the kernel limits no card: " + limited.errors().strip());
    } finally {
      CommandResult unused = CommandResult.of(List.of("ip", "netns", "del", name), Map.of());
    }
  }

  private static String prefix() {
    return "pf" + ProcessHandle.current().pid();
  }

  /** @param agentOptions of both agents, as NAME=VALUE */
  public static NamespaceLab of(String... agentOptions) throws IOException, InterruptedException {
    List<String> options = new ArrayList<>(List.of("--memory", "512MiB", "--storage", "none"));
    for (String each : agentOptions) {
      options.addAll(List.of("--agent-option", each));
    }
    return ofTwo(options);
  }

  /** With storage that both hosts share, and machines of QEMU from where {@link LinuxGuest} keeps them. */
  public static NamespaceLab forMachines(String memory) throws IOException, InterruptedException {
    return ofTwo(List.of("--memory", memory, "--allow-path", LinuxGuest.DIRECTORY.toString()));
  }

  /** Three hosts with storage that they share, 512 MiB for guests each, and cards of 1 Gbit/s for migrations. */
  public static NamespaceLab ofThree() throws IOException, InterruptedException {
    return new NamespaceLab(prefix() + "-three",
        List.of("--hosts", "3", "--memory", "512MiB", "--bandwidth", "1gbit"));
  }

  private static NamespaceLab ofTwo(List<String> options) throws IOException, InterruptedException {
    List<String> all = new ArrayList<>(List.of("--hosts", "2", "--machine", "client"));
    all.addAll(options);
    return new NamespaceLab(prefix(), all);
  }

  /** Four hosts, a coordinator and a machine {@code desk}, each a small Debian of its own where nothing of Pageferry is installed. */
  public static NamespaceLab ofDebians() throws IOException, InterruptedException {
    return new NamespaceLab(prefix() + "-debian", List.of("--debian", "--hosts", "4", "--machine", "desk"));
  }

  /** A second one, with a single host, beside one of this test. */
  public static NamespaceLab beside() throws IOException, InterruptedException {
    return new NamespaceLab(prefix() + "-beside", List.of("--hosts", "1", "--memory", "64MiB"));
  }

  private NamespaceLab(String name, List<String> options) throws IOException, InterruptedException {
    this.name = name;
    directory = Files.createTempDirectory(Files.createDirectories(ROOT.resolve("integration-tests/target/scenario")),
        "namespaces-");
    List<String> up = new ArrayList<>(List.of("--name", name));
    up.addAll(options);
    if (!options.contains("--debian")) {
      up.addAll(List.of("--agent-option", "rehearse=false"));
    }
    String unused = done("up", up.toArray(String[]::new));
  }

  /** With what the names of its namespaces begin. */
  public String name() {
    return name;
  }

  /** Where its logs are. Agents allow operators to name files there. */
  public Path directory() {
    return directory;
  }

  /** The management address of a machine: of all but migrations. */
  public static String address(String machine) {
    return "10.98.0." + NUMBERS.get(machine);
  }

  private List<String> words(String command, String... words) {
    List<String> all = new ArrayList<>(List.of(SCRIPT, command, "--dir", directory.toString()));
    all.addAll(List.of(words));
    return all;
  }

  /** Runs a command of {@code scripts/lab} with its options and words. */
  public CommandResult run(String command, String... words) throws IOException, InterruptedException {
    return CommandResult.of(words(command, words), Map.of());
  }

  /** Ends a host's agent as a cut of its power would, and starts it again with further variables of its environment. */
  public void restart(String host, Map<String, String> environment) throws IOException, InterruptedException {
    String unused = done("kill", host);
    String alsoUnused = requireDone(CommandResult.of(words("start", host), environment));
  }

  /** Runs a command where a host's agent sees its files: mounts that it makes are the agent's alone. */
  public void amongFilesOf(String host, String... command) throws IOException, InterruptedException {
    String pid = Files.readString(directory.resolve(host).resolve("pid")).strip();
    List<String> all = new ArrayList<>(List.of("nsenter", "-t", pid, "-m"));
    all.addAll(List.of(command));
    String unused = requireDone(CommandResult.of(all, Map.of()));
  }

  /** Has the next start of a host's agent have another value of an option. */
  public void setOption(String host, String option, String value) throws IOException {
    Path file = directory.resolve(host).resolve("args");
    List<String> arguments = new ArrayList<>(Files.readAllLines(file));
    arguments.set(arguments.indexOf(option) + 1, value);
    Files.write(file, arguments);
  }

  /** Runs one that must succeed. */
  public String done(String command, String... words) throws IOException, InterruptedException {
    return requireDone(run(command, words));
  }

  /** Runs the operator's command where the coordinator is. */
  public CommandResult ferry(String... arguments) throws IOException, InterruptedException {
    return run("ferry", arguments);
  }

  /** A host of the kernel's own on the network of VMs with that number, whose card there is called {@code vx}. */
  public void joinByVxlan(String machine, int vni, String addressWithBits) throws IOException, InterruptedException {
    done("ferry", "vtep", "add", machine, "--address", address(machine) + ":4789", "--vni", String.valueOf(vni));
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

  private static String requireDone(CommandResult result) {
    if (result.exitCode() != DONE) {
      throw new IllegalStateException("exit code %d: %s%s".formatted(result.exitCode(), result.output(),
          result.errors()));
    }
    return result.output();
  }

  /** Starts a program there; the caller ends it. */
  public Process startIn(String machine, List<String> program) throws IOException {
    List<String> command = words("exec", machine);
    command.addAll(program);
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  /** Runs a command on a machine, or in the {@link #SWITCH}, and requires that it succeeds. */
  public String in(String machine, String... arguments) throws IOException, InterruptedException {
    List<String> words = new ArrayList<>(List.of(machine));
    words.addAll(List.of(arguments));
    return done("exec", words.toArray(String[]::new));
  }

  /** What the bridge of management cards has learned: address and port of each station. */
  public String bridgeTable() throws IOException, InterruptedException {
    return in(SWITCH, "bridge", "fdb", "show", "br", "management");
  }

  @Override
  public void close() throws IOException, InterruptedException {
    done("down");
  }
}
