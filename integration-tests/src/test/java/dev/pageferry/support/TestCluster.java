package dev.pageferry.support;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pageferry.journal.JournalReader;
import dev.pageferry.membership.ClusterCertificates;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.Migration;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;

/** A coordinator and agents as processes on loopback, with free ports and a directory of their own. */
public final class TestCluster extends ClusterClient implements AutoCloseable {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final Pattern LISTENING = Pattern.compile("listening: grpc 127\\.0\\.0\\.1:(\\d+)");
  private static final Pattern REGISTERED = Pattern.compile("registered with the coordinator");
  private static final Pattern REFUSED = Pattern.compile("does not take this host in: (.*)");

  private static final String FENCE_AGENTS = "fence-agents";

  private final Path directory;
  private final Set<String> hostsWithOwnStorage;
  private final Map<String, ServerProcess> agents = new LinkedHashMap<>();
  /** What each agent was first started with, by host. */
  private final Map<String, List<String>> agentArguments = new HashMap<>();
  private final ServerProcess coordinator;
  private final int port;
  /** Empty: with a server of the version before, which knows none. */
  private final Optional<ClusterCertificates> certificates;

  /**
   * Which version each server of a cluster is of.
   *
   * @param agents by host, in the order in which they are started
   * @param hostsWithOwnStorage those whose storage no other one reaches
   */
  public record Setup(Distribution coordinator, Map<String, Distribution> agents, Set<String> hostsWithOwnStorage) {
    /** The version before knows nobody by certificates. */
    boolean isSecured() {
      return coordinator.equals(Distribution.PRESENT) && !agents.isEmpty()
          && agents.values().stream().allMatch(Distribution.PRESENT::equals);
    }

    static Setup ofThisBuild(boolean ownStorage, String... hosts) {
      Map<String, Distribution> agents = new LinkedHashMap<>();
      for (String each : hosts) {
        agents.put(each, Distribution.PRESENT);
      }
      return new Setup(Distribution.PRESENT, agents, ownStorage ? Set.of(hosts) : Set.of());
    }
  }

  private TestCluster(Path directory, Setup setup, ServerProcess coordinator, int port,
      Optional<ClusterCertificates> certificates, ManagedChannel channel) {
    super(channel);
    this.certificates = certificates;
    this.directory = directory;
    this.hostsWithOwnStorage = setup.hostsWithOwnStorage();
    this.coordinator = coordinator;
    this.port = port;
  }

  /** Starts a coordinator and one agent per name, each with that much memory for guests, all with the same storage. */
  public static TestCluster start(String name, String memory, String... hosts)
      throws IOException, InterruptedException {
    return start(name, memory, Setup.ofThisBuild(false, hosts));
  }

  /** As {@link #start}, each host with storage of its own. */
  public static TestCluster startWithOwnStorage(String name, String memory, String... hosts)
      throws IOException, InterruptedException {
    return start(name, memory, Setup.ofThisBuild(true, hosts));
  }

  /** Starts a cluster whose servers may be of several versions. */
  public static TestCluster start(String name, String memory, Setup setup)
      throws IOException, InterruptedException {
    return start(Files.createTempDirectory(Files.createDirectories(ROOT.resolve("integration-tests/target/scenario")),
        name + "-"), memory, setup);
  }

  /** Starts a coordinator alone, on records that are in a directory already. */
  public static TestCluster startOn(Path directory, Distribution coordinator) throws IOException, InterruptedException {
    return start(directory, "1MiB", new Setup(coordinator, Map.of(), Set.of()));
  }

  private static TestCluster start(Path directory, String memory, Setup setup)
      throws IOException, InterruptedException {
    Optional<ClusterCertificates> certificates = setup.isSecured()
        ? Optional.of(new ClusterCertificates(directory.resolve("pki")))
        : Optional.empty();
    // A fixed port lets the coordinator be killed and come back where the agents look for it.
    int port = FreePorts.one();
    ServerProcess coordinator = new ServerProcess(setup.coordinator().program("ferry-coordinator"),
        setup.coordinator().understood("ferry-coordinator", coordinatorArguments(directory, port, certificates)),
        directory.resolve("coordinator.log"));
    coordinator.start(LISTENING);
    ManagedChannel channel = certificates.isPresent()
        ? certificates.get().operator("127.0.0.1", port)
        : NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    TestCluster cluster = new TestCluster(directory, setup, coordinator, port, certificates, channel);
    if (certificates.isPresent()) {
      ClusterCertificates.admit(channel, List.copyOf(setup.agents().keySet()));
    }
    for (Map.Entry<String, Distribution> each : setup.agents().entrySet()) {
      cluster.addHost(each.getKey(), memory, each.getValue());
    }
    if (setup.coordinator().equals(Distribution.PRESENT) && !setup.agents().isEmpty()) {
      // Scenarios say themselves what becomes of a VM, but for those of failover.
      cluster.arm(false);
    }
    // All at once: most of a short scenario is waiting for programs to start and to end.
    atOnce(cluster.agents.values(), agent -> agent.start(REGISTERED));
    return cluster;
  }

  private interface Change {
    void make(ServerProcess process) throws IOException, InterruptedException;
  }

  private static void atOnce(Collection<ServerProcess> processes, Change change)
      throws IOException, InterruptedException {
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<Boolean>> changes = new ArrayList<>();
      for (ServerProcess each : processes) {
        changes.add(threads.submit(() -> {
          change.make(each);
          return true;
        }));
      }
      for (Future<Boolean> each : changes) {
        each.get();
      }
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    }
  }

  private static List<String> coordinatorArguments(Path directory, int port,
      Optional<ClusterCertificates> certificates) throws IOException {
    List<String> arguments = new ArrayList<>(List.of("--listen", "127.0.0.1:" + port, "--http", "127.0.0.1:0", "--data",
        directory.resolve("data").toString(), "--fence-agents", directory.resolve(FENCE_AGENTS).toString()));
    if (certificates.isPresent()) {
      arguments.addAll(certificates.get().ofCoordinator());
    }
    return arguments;
  }

  private void addHost(String host, String memory, Distribution distribution) throws IOException, InterruptedException {
    // A fixed port: others find a restarted agent where the one before was.
    List<String> arguments = agentArguments(host, memory, "127.0.0.1:" + FreePorts.one(), "run");
    agentArguments.put(host, arguments);
    agents.put(host, new ServerProcess(distribution.program("ferry-agent"),
        distribution.understood("ferry-agent", arguments), directory.resolve(host + ".log")));
  }

  /**
   * Starts another agent under the name of a host that has one, as if on another machine, and waits until it is refused. The
   * caller closes it.
   */
  public ServerProcess startImpostor(String host, String memory) throws IOException {
    ServerProcess impostor = new ServerProcess(Distribution.PRESENT.program("ferry-agent"),
        agentArguments(host, memory, "127.0.0.1:0", "run-elsewhere"), directory.resolve(host + "-impostor.log"));
    impostor.start(REFUSED);
    return impostor;
  }

  /** Starts another agent of a host on the same machine. */
  public void startTwin(String host, String memory) throws IOException {
    ServerProcess twin = new ServerProcess(Distribution.PRESENT.program("ferry-agent"),
        agentArguments(host, memory, "127.0.0.1:0", "run"), directory.resolve(host + "-twin.log"));
    twin.start(REGISTERED);
  }

  /** Starts another agent for a host whose agent is silent, and waits until it is taken in. The caller closes it. */
  public ServerProcess startReplacement(String host, String memory, Distribution distribution)
      throws IOException, InterruptedException {
    ServerProcess replacement = new ServerProcess(distribution.program("ferry-agent"),
        distribution.understood("ferry-agent", agentArguments(host, memory, "127.0.0.1:0", "run-elsewhere")),
        directory.resolve(host + "-replacement.log"));
    replacement.start(REGISTERED);
    return replacement;
  }

  private List<String> agentArguments(String host, String memory, String listen, String runDirectory)
      throws IOException {
    Path failpoints = Files.createDirectories(directory.resolve(host));
    List<String> arguments = new ArrayList<>(
        List.of("--host-id", host, "--coordinator", "127.0.0.1:" + port, "--listen", listen,
            "--migration-listen", "127.0.0.1:0",
            "--http", "127.0.0.1:0", "--memory", memory, "--rehearse", "false", "--storage",
            Files.createDirectories(storageOf(host)).toString(),
            "--run-dir", directory.resolve(runDirectory).toString(), "--failpoint-dir", failpoints.toString(),
            "--allow-path",
            LinuxGuest.DIRECTORY + ":" + System.getProperty("java.io.tmpdir"), "--allow-qemu-arg", "rtc"));
    if (certificates.isPresent()) {
      arguments.addAll(certificates.get().ofHost(host));
    }
    return arguments;
  }

  /** Where the coordinator keeps its records. */
  public Path records() {
    return directory.resolve("data");
  }

  /** Where the coordinator looks fence agents up; not made by anybody here. */
  public Path fenceAgents() {
    return directory.resolve(FENCE_AGENTS);
  }

  /** The directory that all hosts share. */
  public Path storage() {
    return directory.resolve("storage");
  }

  /** The directory that a host has its disks in. */
  public Path storageOf(String host) {
    return hostsWithOwnStorage.contains(host) ? directory.resolve("storage-of-" + host) : storage();
  }

  /** The file of a disk on the storage that all hosts share. */
  public Path disk(String name, Disk.Format format) {
    return disk(storage(), name, format);
  }

  /** The file of a disk. */
  public static Path disk(Path storage, String name, Disk.Format format) {
    return storage.resolve("disks/%s.%s".formatted(name, format.name().toLowerCase(Locale.ROOT)));
  }

  public ServerProcess agent(String host) {
    ServerProcess agent = agents.get(host);
    if (agent == null) {
      throw new IllegalArgumentException("no host " + host);
    }
    return agent;
  }

  public ServerProcess coordinator() {
    return coordinator;
  }

  /** Starts a killed agent again, as a new incarnation. */
  public void restart(String host) throws IOException, InterruptedException {
    agent(host).start(REGISTERED);
  }

  /** Ends an agent, if it lives, and starts it with further arguments than it had at first. */
  public void restartWith(String host, String... more) throws IOException, InterruptedException {
    List<String> arguments = new ArrayList<>(Objects.requireNonNull(agentArguments.get(host)));
    arguments.addAll(List.of(more));
    agent(host).close();
    agent(host).become(Distribution.PRESENT.program("ferry-agent"), arguments);
    restart(host);
  }

  /** As {@link #restart}, in a version that it may not have been of before. */
  public void restartAs(String host, Distribution distribution) throws IOException, InterruptedException {
    List<String> arguments = agentArguments.get(host);
    agent(host).become(distribution.program("ferry-agent"), distribution.understood("ferry-agent",
        Objects.requireNonNull(arguments)));
    restart(host);
  }

  /** As {@link #restartCoordinator}, in a version that it may not have been of before. */
  public void restartCoordinatorAs(Distribution distribution) throws IOException, InterruptedException {
    coordinator.become(distribution.program("ferry-coordinator"),
        distribution.understood("ferry-coordinator", coordinatorArguments(directory, port, certificates)));
    restartCoordinator();
  }

  /** As {@link #restartCoordinator}, where not all hosts come back. */
  public void startCoordinator() throws IOException, InterruptedException {
    coordinator.start(LISTENING);
    reconnect();
  }

  public void restartCoordinator() throws IOException, InterruptedException {
    startCoordinator();
    Awaitility.await("hosts are up again").atMost(PATIENCE).ignoreExceptions()
        .until(() -> agents.keySet().stream().allMatch(each -> host(each).getState() == Host.State.UP));
  }

  /** Backs the coordinator's records up, while it runs. */
  public void backUpRecords() throws IOException, InterruptedException {
    CommandResult result = ferry("backup", directory.resolve("backup").toString());
    assertThat(result.exitCode()).as(result.errors()).isZero();
  }

  /** Has the coordinator start on the records that were backed up. */
  public void restoreRecords() throws IOException, InterruptedException {
    CommandResult result = ferry("restore", directory.resolve("backup").toString(), "--data", records().toString());
    assertThat(result.exitCode()).as(result.errors()).isZero();
    coordinator.close();
    restartCoordinator();
  }

  /** Runs the operator's command as a process. */
  public CommandResult ferry(String... arguments) throws IOException, InterruptedException {
    return ferryOf(Distribution.PRESENT, arguments);
  }

  /** Runs the operator's command of one version as a process. */
  public CommandResult ferryOf(Distribution distribution, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(distribution.program("ferry").toString()));
    command.addAll(List.of(arguments));
    Map<String, String> variables = new HashMap<>(Map.of("FERRY_COORDINATOR", "127.0.0.1:" + port));
    if (certificates.isPresent()) {
      variables.putAll(certificates.get().ofOperator());
    }
    return CommandResult.of(command, variables);
  }

  /** Runs the operator's command, which must succeed, and gives the document that it printed. */
  public JsonObject ferryJson(String... arguments) throws IOException, InterruptedException {
    CommandResult result = ferry(arguments);
    assertThat(result.exitCode()).as(result.errors()).isZero();
    return JsonParser.parseString(result.output()).getAsJsonObject();
  }

  /** Runs the operator's command, which must end with that exit code, and with one line that contains the reason. */
  public void assertRefused(int exitCode, String reason, String... arguments)
      throws IOException, InterruptedException {
    CommandResult result = ferry(arguments);
    assertThat(result.errors()).contains(reason).hasLineCount(1);
    assertThat(result.exitCode()).isEqualTo(exitCode);
  }

  /** Brings back what a scenario has killed, frozen or held, and removes its VMs: the next one finds hosts as they were. */
  public void heal() throws IOException, InterruptedException {
    releaseAll();
    atOnce(agents.values(), agent -> {
      if (agent.isAlive()) {
        agent.thaw();
      } else {
        agent.start(REGISTERED);
      }
    });
    Awaitility.await("no VM is left").atMost(PATIENCE).ignoreException(StatusRuntimeException.class).until(() -> {
      deleteAll();
      return true;
    });
    for (String host : agents.keySet()) {
      Awaitility.await(host + " is free").atMost(PATIENCE).ignoreException(StatusRuntimeException.class)
          .until(() -> host(host).getState() == Host.State.UP
              && host(host).getMemoryFreeBytes() == host(host).getMemoryBytes());
    }
  }

  /** Lets all agents go on wherever they are held. */
  public void releaseAll() throws IOException {
    for (String host : agents.keySet()) {
      Failpoint.releaseAll(directory.resolve(host));
    }
  }

  public Failpoint hold(String host, String name) throws IOException {
    return new Failpoint(directory.resolve(host), name);
  }

  /** Starts a migration and waits until one of its hosts is held at a failpoint. */
  public HeldMigration holdMigration(String host, String failpoint, HeldMigration.Start start) throws IOException {
    Failpoint held = hold(host, failpoint);
    Migration migration = start.start();
    held.awaitReached();
    return new HeldMigration(this, held, migration.getId());
  }

  /** The journals on the disk of a VM that {@link #createWithDisk} made. */
  public List<JournalReader.Journal> journals(String vm) throws IOException {
    Path storage = hostsWithOwnStorage.isEmpty() ? storage() : storageOf(vm(vm).getHost());
    return JournalReader.read(disk(storage, vm + "-disk", Disk.Format.VHD));
  }

  /** Whether the agent's log of its present start has a line that matches. */
  public boolean logged(String host, String regex) throws IOException {
    Matcher matcher = Pattern.compile(regex).matcher(agent(host).logOfThisStart());
    return matcher.find();
  }

  @Override
  public void close() throws IOException, InterruptedException {
    disconnect();
    atOnce(agents.values(), ServerProcess::close);
    coordinator.close();
  }
}
