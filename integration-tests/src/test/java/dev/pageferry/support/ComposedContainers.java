package dev.pageferry.support;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;

/**
 * The services of {@code scripts/containers/compose.yaml}, started by podman itself, as an implementation of compose would: so that
 * file is tried, and nothing has to be installed for it. Images and containers are in a directory of their own. Needs root.
 */
public final class ComposedContainers implements AutoCloseable {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final Path COMPOSE = ROOT.resolve("scripts/containers/compose.yaml");
  private static final Duration START = Duration.ofSeconds(90);
  private static final List<String> LIMITS = List.of("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000");
  private static final String PKI = "./pki";

  private final String prefix = "pf" + ProcessHandle.current().pid() + "-";
  private final String image = "localhost/" + prefix + "pageferry";
  private final Path directory;
  private final List<String> podman;
  private final Map<String, Object> file;

  /** Why there can be no containers here; empty if there can. */
  public static Optional<String> obstacle() throws IOException, InterruptedException {
    for (String each : List.of("podman", "runc", "iptables")) {
      if (!DebianPackages.isInstalled(each)) {
        return Optional.of("the command %s is not installed".formatted(each));
      }
    }
    if (!Files.isExecutable(Path.of("/usr/lib/podman/netavark"))) {
      return Optional.of("netavark is not installed");
    }
    Optional<String> networks = NamespaceLab.obstacle();
    return networks.isPresent() ? networks : DebianPackages.obstacle();
  }

  /** Builds the image and makes the networks. @param directory for all that they need; the caller removes what is left */
  public ComposedContainers(Path directory) throws IOException, InterruptedException {
    this.directory = directory;
    this.podman = List.of("podman", "--log-level", "error", "--runtime", "runc", "--cgroup-manager", "cgroupfs",
        "--storage-driver", "vfs", "--root", directory.resolve("storage").toString(), "--runroot",
        directory.resolve("run").toString());
    try (Reader in = Files.newBufferedReader(COMPOSE)) {
      file = new Yaml(new SafeConstructor(new LoaderOptions())).load(in);
    }
    require(CommandResult.of(List.of(ROOT.resolve("scripts/containers/build").toString(), "--tag", image),
        Map.of("PODMAN", String.join(" ", podman))));
    Path pki = Files.createDirectory(directory.resolve("pki"));
    require(CommandResult.of(List.of("chown", "7400:7400", pki.toString()), Map.of()));
    try {
      for (Map.Entry<String, Object> each : map(file.get("networks")).entrySet()) {
        Map<String, Object> network = map(each.getValue());
        List<String> options = new ArrayList<>(List.of("--disable-dns"));
        if (Boolean.TRUE.equals(network.get("internal"))) {
          options.add("--internal");
        }
        for (Object config : list(map(network.get("ipam")).get("config"))) {
          options.addAll(List.of("--subnet", String.valueOf(map(config).get("subnet"))));
        }
        options.add(prefix + each.getKey());
        call("network", "create", options);
      }
    } catch (IOException | InterruptedException | RuntimeException e) {
      close();
      throw e;
    }
  }

  /** Those that run all the time, in the order of the file. */
  public List<String> servers() {
    return map(file.get("services")).entrySet().stream().filter(each -> !map(each.getValue()).containsKey("profiles"))
        .map(Map.Entry::getKey).toList();
  }

  /** Starts a service as the file has it. */
  public void start(String service) throws IOException, InterruptedException {
    List<String> options = new ArrayList<>(List.of("--detach", "--name", prefix + service));
    options.addAll(options(service));
    options.add(image);
    list(service(service).get("command")).forEach(each -> options.add(String.valueOf(each)));
    call("run", "", options);
  }

  /** Runs another command in a container of a service. @return what it said */
  public String run(String service, String program, String... arguments) throws IOException, InterruptedException {
    List<String> options = new ArrayList<>(List.of("--rm"));
    options.addAll(options(service));
    options.addAll(List.of(image, program));
    options.addAll(List.of(arguments));
    return call("run", "", options);
  }

  private List<String> options(String name) {
    Map<String, Object> service = service(name);
    List<String> options = new ArrayList<>(LIMITS);
    map(service.get("environment"))
        .forEach((variable, value) -> options.addAll(List.of("--env", variable + "=" + value)));
    map(service.get("networks")).forEach((network, settings) -> options.addAll(List.of("--network",
        prefix + network + Optional.ofNullable(map(settings).get("ipv4_address")).map(it -> ":ip=" + it).orElse(""))));
    Optional.ofNullable(service.get("network_mode"))
        .ifPresent(it -> options.addAll(List.of("--network", it.toString())));
    for (Object volume : list(service.get("volumes"))) {
      String text = String.valueOf(volume);
      options.addAll(List.of("--volume",
          text.startsWith(PKI) ? directory.resolve("pki") + text.substring(PKI.length()) : prefix + text));
    }
    if (service.containsKey("healthcheck")) {
      // Asked by hand: podman would have systemd do that.
      options.addAll(List.of("--health-interval", "disable", "--health-cmd", "%s".formatted(String.join(" ",
          list(map(service.get("healthcheck")).get("test")).stream().skip(1).map(String::valueOf).toList()))));
    }
    return options;
  }

  public boolean isHealthy(String service) throws IOException, InterruptedException {
    return podman("healthcheck", "run", List.of(prefix + service)).exitCode() == 0;
  }

  public void awaitHealthy(String service) {
    Awaitility.await(service + " is healthy").atMost(START).pollInterval(Duration.ofMillis(200))
        .until(() -> isHealthy(service));
  }

  public String logs(String service) throws IOException, InterruptedException {
    CommandResult logs = podman("logs", "", List.of(prefix + service));
    return logs.output() + logs.errors();
  }

  /** Asks a service to end, for as long as the file says. @return its exit code */
  public int end(String service) throws IOException, InterruptedException {
    String grace = String.valueOf(service(service).get("stop_grace_period")).replace("s", "");
    call("stop", "--time", List.of(grace, prefix + service));
    return Integer.parseInt(call("inspect", "--format", List.of("{{.State.ExitCode}}", prefix + service)).strip());
  }

  public List<String> running() throws IOException, InterruptedException {
    return call("ps", "--format", List.of("{{.Names}}")).lines().toList();
  }

  private Map<String, Object> service(String name) {
    Map<String, Object> found = map(map(file.get("services")).get(name));
    if (found.isEmpty()) {
      throw new IllegalArgumentException("%s has no service %s".formatted(COMPOSE, name));
    }
    return found;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> map(@Nullable Object value) {
    return value == null ? Map.of() : (Map<String, Object>) value;
  }

  private static List<?> list(@Nullable Object value) {
    return value == null ? List.of() : (List<?>) value;
  }

  private CommandResult podman(String command, String first, List<String> options)
      throws IOException, InterruptedException {
    List<String> whole = new ArrayList<>(podman);
    whole.add(command);
    if (!first.isEmpty()) {
      whole.add(first);
    }
    whole.addAll(options);
    return CommandResult.of(whole, Map.of());
  }

  private String call(String command, String first, List<String> options) throws IOException, InterruptedException {
    return require(podman(command, first, options));
  }

  private static String require(CommandResult result) {
    if (result.exitCode() != 0) {
      throw new IllegalStateException("%d %s%s".formatted(result.exitCode(), result.output(), result.errors()));
    }
    return result.output();
  }

  @Override
  public void close() throws IOException, InterruptedException {
    CommandResult unused = podman("rm", "--all", List.of("--force", "--time", "1", "--volumes"));
    for (String each : map(file.get("networks")).keySet()) {
      unused = podman("network", "rm", List.of("--force", prefix + each));
    }
    unused = podman("rmi", "--all", List.of("--force"));
  }
}
