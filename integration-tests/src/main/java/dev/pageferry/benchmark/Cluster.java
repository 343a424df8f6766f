package dev.pageferry.benchmark;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.pageferry.common.config.HostPort;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** A coordinator and two agents on loopback, driven by the same commands that operators use. */
final class Cluster implements AutoCloseable {
  /** This checkout, in which the benchmarks run. */
  static final Path HERE = Path.of("");
  private static final Duration UP_LIMIT = Duration.ofMinutes(5);
  private static final Duration COMMAND_LIMIT = Duration.ofMinutes(1);
  private static final Duration MOVE_LIMIT = Duration.ofMinutes(10);
  private static final Duration FILL_LIMIT = Duration.ofMinutes(5);
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(300);

  private final Children children;
  private final Path directory;
  private final CleanUp.Owned owned;
  private final int portBase;

  /**
   * What a cluster is like.
   *
   * @param environment of its programs, {@code K=V}, beside this one's
   * @param isSecured whether members know each other by certificates, and pages go over TLS
   */
  record Settings(Path directory, int portBase, int hosts, long hostMemoryBytes, List<String> environment,
      boolean isSecured) {
    /** One without certificates. */
    Settings(Path directory, int portBase, int hosts, long hostMemoryBytes, List<String> environment) {
      this(directory, portBase, hosts, hostMemoryBytes, environment, false);
    }
  }

  /** Starts it, with nothing left in it of an earlier one. */
  Cluster(Children children, CleanUp cleanUp, Settings settings) {
    this.children = children;
    this.directory = settings.directory();
    this.portBase = settings.portBase();
    if (Files.exists(directory)) {
      devCluster(COMMAND_LIMIT, "down");
      deleteTree(directory);
    }
    // Owned before it is up: an up that fails half-way has started programs too.
    owned = cleanUp.own(() -> devCluster(COMMAND_LIMIT, "down"));
    List<String> words = new ArrayList<>(List.of("env"));
    words.addAll(settings.environment());
    words.addAll(List.of("scripts/dev-cluster", "up", "--dir", directory.toString(), "--hosts",
        Integer.toString(settings.hosts()), "--memory", size(settings.hostMemoryBytes()), "--port-base",
        Integer.toString(portBase)));
    if (!settings.isSecured()) {
      words.add("--insecure");
    }
    Children.Result up = children.run(UP_LIMIT, words);
    if (up.exitCode() != 0) {
      owned.close();
      throw new BenchmarkException("dev-cluster up: " + up.complaint());
    }
  }

  /** A VM to create; arguments are those of its guest program, {@code k=v}. */
  record Spec(String name, long memoryBytes, String program, List<String> arguments, List<String> options) {
    /** One without more than that. */
    Spec(String name, long memoryBytes, String program, List<String> arguments) {
      this(name, memoryBytes, program, arguments, List.of());
    }
  }

  /** A VM of this cluster, and where it is. Deleted when closed. */
  final class Vm implements AutoCloseable {
    private final String name;
    private String host = "host-a";

    private Vm(Spec spec) {
      this.name = spec.name();
      List<String> words = new ArrayList<>(
          List.of("vm", "create", name, "--host", host, "--memory", size(spec.memoryBytes()), "--program",
              spec.program()));
      spec.arguments().forEach(each -> words.addAll(List.of("--program-arg", each)));
      words.addAll(spec.options());
      ferry(FILL_LIMIT, words);
    }

    /** Moves it to the other host. */
    Move move() {
      return moveBy(HERE);
    }

    /** Moves it to the other host by the command of another checkout. */
    Move moveBy(Path checkout) {
      String other = "host-a".equals(host) ? "host-b" : "host-a";
      Answer answer = ferry(checkout, MOVE_LIMIT, List.of("migrate", "live", name, "--to", other));
      Move move = Move.parse(answer.document(), answer.seconds());
      host = move.destination();
      return move;
    }

    /** Moves it to the other host through a file on shared storage. */
    Move moveQuickly() {
      String other = "host-a".equals(host) ? "host-b" : "host-a";
      Answer answer = ferry(MOVE_LIMIT, List.of("migrate", "quick", name, "--to", other));
      Move move = Move.parse(answer.document(), answer.seconds());
      host = move.destination();
      return move;
    }

    /** Moves it to the other host while a client pings it. */
    Probed moveWithProbe() {
      String other = "host-a".equals(host) ? "host-b" : "host-a";
      long start = System.nanoTime();
      Children.Result result = run(MOVE_LIMIT, List.of("migrate", "live", name, "--to", other, "--watch", "--probe"));
      if (result.exitCode() != 0) {
        throw new BenchmarkException("migrate live --probe: " + result.complaint());
      }
      // A document a line; the last one is final.
      JsonObject last = parse(result.output().strip().lines().reduce((before, line) -> line).orElse(""), "migrate");
      Move move = Move.parse(last, (System.nanoTime() - start) / 1e9);
      host = move.destination();
      return new Probed(move, last.getAsJsonObject("probe"));
    }

    /** Pings it so many times, a millisecond apart. */
    JsonObject ping(int count) {
      return ferry(COMMAND_LIMIT, List.of("vm", "ping", name, "--count", Integer.toString(count))).document();
    }

    /** @return seconds from the pause until its state was whole on stable storage */
    double save() {
      return secondsSaid(run(MOVE_LIMIT, List.of("vm", "save", name)), " saved in ");
    }

    /** @return seconds from the first byte of its state read until all was checked */
    double restore() {
      return secondsSaid(run(MOVE_LIMIT, List.of("vm", "start", name)), " restored in ");
    }

    private double secondsSaid(Children.Result result, String words) {
      Matcher said = Pattern.compile(Pattern.quote(name + words) + "([0-9.]+) (ms|s)").matcher(result.errors());
      if (result.exitCode() != 0 || !said.find()) {
        throw new BenchmarkException(name + words + "…: " + result.complaint());
      }
      return Double.parseDouble(said.group(1)) / (said.group(2).equals("ms") ? 1e3 : 1);
    }

    /** Whether its memory is what its program would have made of it without any move. */
    boolean verify() {
      Children.Result result = run(FILL_LIMIT, List.of("vm", "verify", name));
      JsonObject document = parse(result, "vm verify");
      return document.has("identical") && document.get("identical").getAsBoolean();
    }

    @Override
    public void close() {
      // The build before this one, beside which the benchmarks run, does not know the option.
      if (run(COMMAND_LIMIT, List.of("vm", "delete", name, "--force")).exitCode() != 0) {
        ferry(COMMAND_LIMIT, List.of("vm", "delete", name));
      }
    }

    /** Memory is filled before step 0, so a VM that has made steps is as full as it will be. */
    private void awaitSteps() throws InterruptedException {
      long deadline = System.nanoTime() + FILL_LIMIT.toNanos();
      while (true) {
        JsonObject vm = ferry(COMMAND_LIMIT, List.of("vm", "show", name)).document();
        if (vm.has("steps") && vm.get("steps").getAsLong() > 0) {
          return;
        }
        if (System.nanoTime() - deadline > 0) {
          throw new BenchmarkException(name + " made no step in " + FILL_LIMIT.toSeconds() + " s: " + vm);
        }
        Thread.sleep(BETWEEN_LOOKS);
      }
    }
  }

  /** @return seconds that a command of a checkout takes, from its start to its end */
  double time(Path checkout, List<String> words) {
    if (words.equals(List.of("--version"))) {
      // Alone, as programs ask it.
      return children.run(COMMAND_LIMIT, List.of(checkout.resolve("scripts/ferry").toString(), "--version"))
          .wallSeconds();
    }
    return ferry(checkout, COMMAND_LIMIT, words).seconds();
  }

  /** A move, and what a client saw meanwhile. */
  record Probed(Move move, JsonObject probe) {
  }

  /**
   * Lets a tunnel end into a network.
   *
   * @return where the hosts take VXLAN
   */
  List<InetSocketAddress> letIn(String name, String address, int vni) {
    ferry(COMMAND_LIMIT, List.of("vtep", "add", name, "--address", address, "--vni", Integer.toString(vni)));
    JsonObject vteps = ferry(COMMAND_LIMIT, List.of("vtep", "list")).document();
    List<InetSocketAddress> hosts = new ArrayList<>();
    vteps.getAsJsonArray("vteps").forEach(each -> {
      JsonObject vtep = each.getAsJsonObject();
      if (vtep.get("host").getAsBoolean()) {
        HostPort socket = HostPort.parse(vtep.get("address").getAsString());
        hosts.add(new InetSocketAddress(socket.host(), socket.port()));
      }
    });
    return hosts;
  }

  /** Ends what {@link #letIn} began. */
  void shutOut(String name) {
    ferry(COMMAND_LIMIT, List.of("vtep", "delete", name));
  }

  /** Makes a disk, deleted with the cluster's storage. */
  void createDisk(String name, String size) {
    ferry(COMMAND_LIMIT, List.of("disk", "create", name, "--size", size));
  }

  /** The directory that both hosts share. */
  Path storage() {
    return directory.resolve("storage");
  }

  /** Creates a VM on the first host and waits until its program runs and its memory is filled. */
  Vm create(Spec spec) {
    Vm vm = new Vm(spec);
    try {
      vm.awaitSteps();
      return vm;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchmarkException("interrupted", e);
    } catch (RuntimeException e) {
      try {
        vm.close();
      } catch (RuntimeException also) {
        e.addSuppressed(also);
      }
      throw e;
    }
  }

  /** The operator's command of this checkout. */
  Operator operator() {
    return new Operator(children, List.of(HERE.resolve("scripts/ferry").toString(), "--coordinator", address()));
  }

  /** Where its coordinator answers. */
  String address() {
    return "127.0.0.1:" + portBase;
  }

  /** Where an agent's pid, its log and its failpoints are. */
  Path directoryOf(String host) {
    return directory.resolve(host);
  }

  @Override
  public void close() {
    owned.close();
  }

  private record Answer(JsonObject document, double seconds) {
  }

  private Answer ferry(Duration limit, List<String> words) {
    return ferry(HERE, limit, words);
  }

  private Answer ferry(Path checkout, Duration limit, List<String> words) {
    Children.Result result = run(checkout, limit, words);
    if (result.exitCode() != 0) {
      throw new BenchmarkException("ferry " + String.join(" ", words) + ": " + result.complaint());
    }
    JsonObject document = !result.output().startsWith("{") ? new JsonObject() : parse(result, String.join(" ", words));
    return new Answer(document, result.wallSeconds());
  }

  private Children.Result run(Duration limit, List<String> words) {
    return run(HERE, limit, words);
  }

  private Children.Result run(Path checkout, Duration limit, List<String> words) {
    List<String> all = new ArrayList<>(
        List.of(checkout.resolve("scripts/ferry").toString(), "--coordinator", address(), "-o", "json"));
    all.addAll(words);
    return children.run(limit, all);
  }

  private Children.Result devCluster(Duration limit, String command) {
    return children.run(limit, List.of("scripts/dev-cluster", command, "--dir", directory.toString()));
  }

  private static JsonObject parse(Children.Result result, String what) {
    return parse(result.output(), what + " (" + result.complaint() + ")");
  }

  private static JsonObject parse(String output, String what) {
    try {
      return JsonParser.parseString(output).getAsJsonObject();
    } catch (JsonParseException | IllegalStateException e) {
      throw new BenchmarkException("ferry " + what + " printed no JSON object", e);
    }
  }

  private static String size(long bytes) {
    return bytes % (1 << 20) == 0 ? (bytes >> 20) + "MiB" : Long.toString(bytes);
  }

  private static void deleteTree(Path top) {
    try (Stream<Path> paths = Files.walk(top)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    } catch (IOException e) {
      throw new BenchmarkException(top + ": " + e.getMessage(), e);
    }
  }
}
