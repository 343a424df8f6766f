package dev.pageferry.coordinator.fakes;

import static org.awaitility.Awaitility.await;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.agents.HostInspector;
import dev.pageferry.coordinator.availability.Evacuation;
import dev.pageferry.coordinator.availability.Failover;
import dev.pageferry.coordinator.availability.HaSettings;
import dev.pageferry.coordinator.availability.HostDeaths;
import dev.pageferry.coordinator.disks.Disks;
import dev.pageferry.coordinator.fencing.FenceAgent;
import dev.pageferry.coordinator.fencing.FenceException;
import dev.pageferry.coordinator.fencing.Fences;
import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.machines.Machines;
import dev.pageferry.coordinator.maintenance.Maintenance;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.network.NetworkMembers;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.repair.RecordsRepairs;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.HostRecord;
import dev.pageferry.proto.records.v1.VmRecord;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.UnaryOperator;

/** A coordinator's parts over real records, with hosts that the test plays and a clock that it moves. */
public final class FakeSite implements AutoCloseable {
  public static final Duration HOST_TIMEOUT = Duration.ofSeconds(5);
  public static final long MIB = 1 << 20;
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private final Path directory;
  private final FakeAgents agents;
  private final Map<String, Integer> lives;
  private final ManualTicker ticker = new ManualTicker();
  private final RecordStore store;
  private final HostInventory inventory;
  private final RecordsHistory history;
  private final RecordsRepairs repairs;
  private final OwnershipLedger ledger;
  private final Disks disks;
  private final Machines machines;
  private final MigrationSupervisor migrations;
  private final NetworkMembers network;
  private final List<Migration> metered = new CopyOnWriteArrayList<>();

  public FakeSite(Path directory) throws IOException {
    this(directory, new FakeAgents(), new ConcurrentHashMap<>(), SqliteRecordStore.open(directory));
  }

  /** Over records that the test made itself. */
  public FakeSite(Path directory, RecordStore store) {
    this(directory, new FakeAgents(), new ConcurrentHashMap<>(), store);
  }

  private FakeSite(Path directory, FakeAgents agents, Map<String, Integer> lives, RecordStore store) {
    this.directory = directory;
    this.agents = agents;
    this.lives = lives;
    this.store = store;
    inventory = new HostInventory(store, HOST_TIMEOUT, Duration.ZERO, ticker);
    history = RecordsHistory.open(store, Scheduler.SYSTEM, new SecureRandom());
    ledger = new OwnershipLedger(store, history);
    disks = new Disks(ledger, inventory, agents);
    migrations = new MigrationSupervisor(ledger, inventory, agents, metered::add, Scheduler.SYSTEM,
        new SecureRandom());
    machines = new Machines(ledger, inventory, agents, disks, migrations::isMoving, Scheduler.SYSTEM,
        new SecureRandom());
    network = new NetworkMembers(store, inventory, ticker);
    repairs = new RecordsRepairs(history, ledger, inventory, agents, Scheduler.SYSTEM);
  }

  public RecordsHistory history() {
    return history;
  }

  public RecordsRepairs repairs() {
    return repairs;
  }

  /** The same records and the same hosts under a new process of the coordinator, which has heard of no host yet. */
  public FakeSite afterCoordinatorRestart() throws IOException {
    close();
    return new FakeSite(directory, agents, lives, SqliteRecordStore.open(directory));
  }

  public static String address(String host) {
    return host + ":7410";
  }

  public FakeAgent agent(String host) {
    return agents.at(address(host));
  }

  public FakeAgents agents() {
    return agents;
  }

  /** Registers a newer incarnation of the host, with 1 GiB free. */
  public void register(String host) {
    int life = lives.merge(host, 1, Integer::sum);
    inventory.register(HostRecord.newBuilder().setId(host).setIncarnation(incarnation(host, life))
        .setAddress(address(host)).setMigrationAddress(host + ":7420").setMemoryBytes(2048 * MIB).setVersion("test")
        .setStorageId("storage-1")
        .build(), 1024 * MIB);
  }

  /** The host's present incarnation. */
  public Incarnation incarnation(String host) {
    return new Incarnation(incarnation(host, lives.getOrDefault(host, 0)));
  }

  private static String incarnation(String host, int life) {
    return "%s-life-%d".formatted(host, life);
  }

  /** A heartbeat that tells of what the fake host has. */
  public void heartbeat(String... hosts) {
    for (String each : hosts) {
      inventory.heartbeat(new HostId(each), incarnation(each), 1024 * MIB, agent(each).vms());
    }
  }

  /** Time passes until the silent hosts are down; the others are heard of. */
  public void timeOutAllBut(String... hosts) {
    ticker.advance(HOST_TIMEOUT);
    heartbeat(hosts);
  }

  /** The coordinator was stopped for that long: nobody was heard, and nothing was done. */
  public void stall(Duration time) {
    try {
      Task ticking = inventory.noticeStalls(Scheduler.SYSTEM);
      ticking.interrupt();
      if (!ticking.join(PATIENCE)) {
        throw new AssertionError("the ticking task does not end");
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    ticker.advance(time);
  }

  public NetworkMembers network() {
    return network;
  }

  public Vm createVm(String name, String host) throws RequestException {
    Vm vm = machines.create(request(name, host));
    heartbeat(host);
    return vm;
  }

  public static CreateVmRequest request(String name, String host) {
    return CreateVmRequest.newBuilder().setName(name).setHost(host).setMemoryBytes(64 * MIB).setVcpus(1)
        .setProgram("idle").build();
  }

  public Migration migrate(String vm, String to) throws RequestException {
    return migrations.start(MigrateLiveRequest.newBuilder().setName(vm).setTo(to).build());
  }

  public VmRecord row(String vm) {
    return ledger.findByName(vm).orElseThrow().record();
  }

  public VmId vmId(String vm) {
    return new VmId(row(vm).getSpec().getId());
  }

  /** The document once it changes no more. */
  public Migration ended(Migration migration) {
    return await().atMost(PATIENCE).pollInterval(Duration.ofMillis(10)).until(
        () -> migrations.show(migration.getId()), MigrationSupervisor::isFinal);
  }

  /** Puts the VM on the host as its fake agent reports it. */
  public void hosts(String host, String vm, UnaryOperator<dev.pageferry.proto.agent.v1.VmStatus.Builder> status) {
    agent(host).host(status.apply(dev.pageferry.proto.agent.v1.VmStatus.newBuilder().setId(vmId(vm).value())
        .setSpec(row(vm).getSpec()).setState(dev.pageferry.proto.agent.v1.VmStatus.State.RUNNING)).build());
  }

  /** The record as a map of what tests compare: owner, epoch, pending migration. */
  public List<Object> owner(String vm) {
    VmRecord row = row(vm);
    List<Object> parts = new ArrayList<>(List.of(row.getOwnerHost(), row.getEpoch()));
    if (row.hasPending()) {
      parts.add(row.getPending().getMigrationId());
    }
    return parts;
  }

  public ManualTicker ticker() {
    return ticker;
  }

  public RecordStore store() {
    return store;
  }

  public HostInventory inventory() {
    return inventory;
  }

  public OwnershipLedger ledger() {
    return ledger;
  }

  public Disks disks() {
    return disks;
  }

  public Machines machines() {
    return machines;
  }

  public MigrationSupervisor migrations() {
    return migrations;
  }

  public HostDeaths deaths() {
    return new HostDeaths(inventory, ledger, agents, Scheduler.SYSTEM);
  }

  /** Carries planned work out, one move at a time. */
  public Maintenance maintenance() {
    return new Maintenance(inventory, ledger, migrations, new Evacuation(inventory, ledger, agents, Scheduler.SYSTEM),
        Scheduler.SYSTEM, new SecureRandom(), 1);
  }

  /** Has VMs run again, armed. */
  public Failover failover(HostInspector inspector) {
    return failover(inspector, (_, _) -> {
      throw new FenceException("there is no fence agent");
    });
  }

  /** As the other, with a fence agent. */
  public Failover failover(HostInspector inspector, FenceAgent fenceAgent) {
    return new Failover(inventory, ledger, machines, inspector, agents, new HaSettings(store, Scheduler.SYSTEM),
        new Fences(inventory, store, fenceAgent, Scheduler.SYSTEM), Scheduler.SYSTEM);
  }

  public List<Migration> metered() {
    return metered;
  }

  @Override
  public void close() {
    try {
      migrations.close();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    } finally {
      store.close();
    }
  }
}
