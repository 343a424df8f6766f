package dev.pageferry.support;

import dev.pageferry.journal.JournalReader;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.cluster.v1.ClusterGrpc.ClusterBlockingStub;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.DeleteDiskRequest;
import dev.pageferry.proto.cluster.v1.DeleteVmRequest;
import dev.pageferry.proto.cluster.v1.DigestVmRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.GetHostRequest;
import dev.pageferry.proto.cluster.v1.GetMigrationRequest;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.ListDisksRequest;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.MigrateQuickRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.SaveVmRequest;
import dev.pageferry.proto.cluster.v1.SaveVmUpdate;
import dev.pageferry.proto.cluster.v1.StartVmRequest;
import dev.pageferry.proto.cluster.v1.VerifyVmRequest;
import dev.pageferry.proto.cluster.v1.VerifyVmUpdate;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmDigest;
import dev.pageferry.proto.cluster.v1.VmVerification;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.awaitility.Awaitility;

/** A coordinator and agents as processes on loopback, with free ports and a directory of their own. */
public final class TestCluster implements AutoCloseable {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final Pattern LISTENING = Pattern.compile("listening: grpc 127\\.0\\.0\\.1:(\\d+)");
  private static final Pattern REGISTERED = Pattern.compile("registered with the coordinator");
  private static final Pattern REFUSED = Pattern.compile("does not take this host in: (.*)");
  static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final Set<Migration.State> FINAL = Set.of(Migration.State.COMPLETED, Migration.State.FAILED,
      Migration.State.CANCELLED);

  private final Path directory;
  private final Set<String> hostsWithOwnStorage;
  private final Map<String, ServerProcess> agents = new LinkedHashMap<>();
  /** What each agent was first started with, by host. */
  private final Map<String, List<String>> agentArguments = new HashMap<>();
  private final ServerProcess coordinator;
  private final int port;
  private final ManagedChannel channel;

  /**
   * Which version each server of a cluster is of.
   *
   * @param agents by host, in the order in which they are started
   * @param hostsWithOwnStorage those whose storage no other one reaches
   */
  public record Setup(Distribution coordinator, Map<String, Distribution> agents, Set<String> hostsWithOwnStorage) {
    static Setup ofThisBuild(boolean ownStorage, String... hosts) {
      Map<String, Distribution> agents = new LinkedHashMap<>();
      for (String each : hosts) {
        agents.put(each, Distribution.PRESENT);
      }
      return new Setup(Distribution.PRESENT, agents, ownStorage ? Set.of(hosts) : Set.of());
    }
  }

  private TestCluster(Path directory, Setup setup, ServerProcess coordinator, int port) {
    this.directory = directory;
    this.hostsWithOwnStorage = setup.hostsWithOwnStorage();
    this.coordinator = coordinator;
    this.port = port;
    this.channel = NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
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
    // A fixed port lets the coordinator be killed and come back where the agents look for it.
    int port = freePort();
    ServerProcess coordinator = new ServerProcess(setup.coordinator().program("ferry-coordinator"),
        setup.coordinator().understood("ferry-coordinator", coordinatorArguments(directory, port)),
        directory.resolve("coordinator.log"));
    coordinator.start(LISTENING);
    TestCluster cluster = new TestCluster(directory, setup, coordinator, port);
    for (Map.Entry<String, Distribution> each : setup.agents().entrySet()) {
      cluster.addHost(each.getKey(), memory, each.getValue());
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

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private static List<String> coordinatorArguments(Path directory, int port) {
    return List.of("--listen", "127.0.0.1:" + port, "--http", "127.0.0.1:0", "--data",
        directory.resolve("data").toString());
  }

  private void addHost(String host, String memory, Distribution distribution) throws IOException, InterruptedException {
    // A fixed port: from another address a restarted agent would have to wait until the one before is surely gone.
    List<String> arguments = agentArguments(host, memory, "127.0.0.1:" + freePort());
    agentArguments.put(host, arguments);
    agents.put(host, new ServerProcess(distribution.program("ferry-agent"),
        distribution.understood("ferry-agent", arguments), directory.resolve(host + ".log")));
  }

  /** Starts another agent under the name of a host that has one, and waits until it is refused. The caller closes it. */
  public ServerProcess startImpostor(String host, String memory) throws IOException {
    ServerProcess impostor = new ServerProcess(Distribution.PRESENT.program("ferry-agent"),
        agentArguments(host, memory, "127.0.0.1:0"), directory.resolve(host + "-impostor.log"));
    impostor.start(REFUSED);
    return impostor;
  }

  /** Starts another agent for a host whose agent is silent, and waits until it is taken in. The caller closes it. */
  public ServerProcess startReplacement(String host, String memory, Distribution distribution)
      throws IOException, InterruptedException {
    ServerProcess replacement = new ServerProcess(distribution.program("ferry-agent"),
        distribution.understood("ferry-agent", agentArguments(host, memory, "127.0.0.1:0")),
        directory.resolve(host + "-replacement.log"));
    replacement.start(REGISTERED);
    return replacement;
  }

  private List<String> agentArguments(String host, String memory, String listen) throws IOException {
    Path failpoints = Files.createDirectories(directory.resolve(host));
    return List.of("--host-id", host, "--coordinator", "127.0.0.1:" + port, "--listen", listen,
        "--migration-listen", "127.0.0.1:0",
        "--http", "127.0.0.1:0", "--memory", memory, "--rehearse", "false", "--storage",
        Files.createDirectories(storageOf(host)).toString(),
        "--failpoint-dir", failpoints.toString());
  }

  /** Where the coordinator keeps its records. */
  public Path records() {
    return directory.resolve("data");
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
        distribution.understood("ferry-coordinator", coordinatorArguments(directory, port)));
    restartCoordinator();
  }

  public void restartCoordinator() throws IOException, InterruptedException {
    coordinator.start(LISTENING);
    channel.resetConnectBackoff();
    Awaitility.await("hosts are up again").atMost(PATIENCE).ignoreExceptions()
        .until(() -> agents.keySet().stream().allMatch(each -> host(each).getState() == Host.State.UP));
  }

  /** Copies the coordinator's records, as a backup of a coordinator that is stopped does. */
  public void backUpRecords() throws IOException, InterruptedException {
    coordinator.close();
    copyRecords(directory.resolve("data"), directory.resolve("backup"));
    restartCoordinator();
  }

  /** Has the coordinator start on the records that were backed up. */
  public void restoreRecords() throws IOException, InterruptedException {
    coordinator.close();
    copyRecords(directory.resolve("backup"), directory.resolve("data"));
    restartCoordinator();
  }

  private static void copyRecords(Path from, Path to) throws IOException {
    Files.createDirectories(to);
    try (Stream<Path> files = Files.list(to)) {
      for (Path each : files.toList()) {
        Files.delete(each);
      }
    }
    try (Stream<Path> files = Files.list(from)) {
      for (Path each : files.toList()) {
        Files.copy(each, to.resolve(each.getFileName()));
      }
    }
  }

  public static Duration patience() {
    return PATIENCE;
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
    return CommandResult.of(command, Map.of("FERRY_COORDINATOR", "127.0.0.1:" + port));
  }

  /** Brings back what a scenario has killed, frozen or held, and removes its VMs: the next one finds hosts as they were. */
  public void heal() throws IOException, InterruptedException {
    for (String host : agents.keySet()) {
      Failpoint.releaseAll(directory.resolve(host));
    }
    atOnce(agents.values(), agent -> {
      if (agent.isAlive()) {
        agent.thaw();
      } else {
        agent.start(REGISTERED);
      }
    });
    Awaitility.await("no VM is left").atMost(PATIENCE).ignoreException(StatusRuntimeException.class).until(() -> {
      List<Vm> left = api().listVms(ListVmsRequest.getDefaultInstance()).getVmsList();
      left.forEach(each -> delete(each.getName()));
      deleteDisks();
      return true;
    });
    for (String host : agents.keySet()) {
      Awaitility.await(host + " is free").atMost(PATIENCE).ignoreException(StatusRuntimeException.class)
          .until(() -> host(host).getState() == Host.State.UP
              && host(host).getMemoryFreeBytes() == host(host).getMemoryBytes());
    }
  }

  /** Deletes all disks that no VM has. */
  public void deleteDisks() {
    for (Disk each : api().listDisks(ListDisksRequest.getDefaultInstance()).getDisksList()) {
      api().deleteDisk(DeleteDiskRequest.newBuilder().setName(each.getName()).setHost(each.getHosts(0)).build());
    }
  }

  public Failpoint hold(String host, String name) throws IOException {
    return new Failpoint(directory.resolve(host), name);
  }

  public ClusterBlockingStub api() {
    return ClusterGrpc.newBlockingStub(channel);
  }

  /** Creates a VM that writes its memory. */
  public Vm createWriter(String name, String host, long memoryMib, int vcpus, Map<String, String> programArgs) {
    return api().createVm(
        CreateVmRequest.newBuilder().setName(name).setHost(host).setMemoryBytes(memoryMib << 20).setVcpus(vcpus)
            .setProgram("hotset").putAllProgramArgs(programArgs).build());
  }

  /** Creates a disk, and a VM whose program uses it. */
  public Vm createWithDisk(String name, String host, long memoryMib, String program, Map<String, String> programArgs,
      long diskMib) {
    api().createDisk(CreateDiskRequest.newBuilder().setName(name + "-disk").setSizeBytes(diskMib << 20)
        .setFormat(Disk.Format.VHD).setHost(host).build());
    return api().createVm(CreateVmRequest.newBuilder().setName(name).setHost(host).setMemoryBytes(memoryMib << 20)
        .setVcpus(2).setProgram(program).putAllProgramArgs(programArgs).addDisks(name + "-disk").build());
  }

  /** The journals on the disk of a VM that {@link #createWithDisk} made. */
  public List<JournalReader.Journal> journals(String vm) throws IOException {
    Path storage = hostsWithOwnStorage.isEmpty() ? storage() : storageOf(vm(vm).getHost());
    return JournalReader.read(disk(storage, vm + "-disk", Disk.Format.VHD));
  }

  /** Starts a quick migration and returns at once. */
  public Migration migrateQuickly(String vm, String to) {
    return api().migrateQuick(MigrateQuickRequest.newBuilder().setName(vm).setTo(to).build());
  }

  /** Saves a VM and waits until that is done. */
  public Vm save(String name) {
    Iterator<SaveVmUpdate> updates = api().saveVm(SaveVmRequest.newBuilder().setName(name).build());
    SaveVmUpdate last = updates.next();
    while (updates.hasNext()) {
      last = updates.next();
    }
    return last.getVm();
  }

  /** Boots or restores a VM. */
  public Vm startVm(String name, String host) {
    return api().startVm(StartVmRequest.newBuilder().setName(name).setHost(host).build());
  }

  public VmDigest digest(String name) {
    return api().digestVm(DigestVmRequest.newBuilder().setName(name).build());
  }

  public Vm vm(String name) {
    return api().getVm(GetVmRequest.newBuilder().setName(name).build());
  }

  public void delete(String name) {
    api().deleteVm(DeleteVmRequest.newBuilder().setName(name).build());
  }

  public Host host(String id) {
    return api().getHost(GetHostRequest.newBuilder().setId(id).build());
  }

  /** Starts a migration and returns at once. */
  public Migration migrate(String vm, String to) {
    return api().migrateLive(MigrateLiveRequest.newBuilder().setName(vm).setTo(to).build());
  }

  /** Starts a migration that copies the disks too, and returns at once. */
  public Migration migrateWithDisks(String vm, String to) {
    return api().migrateLive(MigrateLiveRequest.newBuilder().setName(vm).setTo(to).setSharedNothing(true).build());
  }

  /** Starts a migration and waits for its end. */
  public Migration migrateAndWait(String vm, String to) {
    return awaitEnd(migrate(vm, to).getId());
  }

  public Migration migration(String id) {
    return api().getMigration(GetMigrationRequest.newBuilder().setId(id).build());
  }

  public Migration awaitEnd(String id) {
    return Awaitility.await("end of migration " + id).atMost(PATIENCE).pollInterval(Duration.ofMillis(20))
        .ignoreException(StatusRuntimeException.class)
        .until(() -> migration(id), each -> FINAL.contains(each.getState()));
  }

  /** Waits until the migration's document names a failure, be that the end of it or not. */
  public Migration awaitFailure(String id) {
    return Awaitility.await("failure of migration " + id).atMost(PATIENCE).pollInterval(Duration.ofMillis(20))
        .ignoreException(StatusRuntimeException.class).until(() -> migration(id), Migration::hasFailure);
  }

  /** Replays a twin and compares. */
  public VmVerification verify(String name) {
    Iterator<VerifyVmUpdate> updates = api().verifyVm(VerifyVmRequest.newBuilder().setName(name).build());
    VerifyVmUpdate last = updates.next();
    while (updates.hasNext()) {
      last = updates.next();
    }
    return last.getResult();
  }

  /** Waits until a VM is in a state on a host. */
  public Vm awaitVm(String name, Vm.State state, String host) {
    return Awaitility.await("VM %s %s on %s".formatted(name, state, host)).atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(50))
        .ignoreException(StatusRuntimeException.class)
        .until(() -> vm(name), each -> each.getState() == state && each.getHost().equals(host));
  }

  /** Waits until all of a host's memory that no VM of record uses is free. */
  public void awaitFreeMemory(String host, long bytes) {
    Awaitility.await("memory of " + host).atMost(PATIENCE).until(() -> host(host).getMemoryFreeBytes() == bytes);
  }

  /** Whether the agent's log of its present start has a line that matches. */
  public boolean logged(String host, String regex) throws IOException {
    Matcher matcher = Pattern.compile(regex).matcher(agent(host).logOfThisStart());
    return matcher.find();
  }

  @Override
  public void close() throws IOException, InterruptedException {
    channel.shutdownNow();
    atOnce(agents.values(), ServerProcess::close);
    coordinator.close();
  }
}
