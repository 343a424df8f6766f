package dev.pageferry.coordinator;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.server.ObservabilityServer;
import dev.pageferry.common.server.RunningServer;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.Role;
import dev.pageferry.coordinator.access.Admissions;
import dev.pageferry.coordinator.access.AuditLog;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.grpc.AgentChannels;
import dev.pageferry.coordinator.agents.grpc.GrpcAgentClient;
import dev.pageferry.coordinator.agents.grpc.GrpcHostInspector;
import dev.pageferry.coordinator.availability.Evacuation;
import dev.pageferry.coordinator.availability.Failover;
import dev.pageferry.coordinator.availability.HaSettings;
import dev.pageferry.coordinator.availability.HostDeaths;
import dev.pageferry.coordinator.backup.Restoration;
import dev.pageferry.coordinator.disks.Disks;
import dev.pageferry.coordinator.events.EventLog;
import dev.pageferry.coordinator.events.EventObserver;
import dev.pageferry.coordinator.fencing.FenceAgentPrograms;
import dev.pageferry.coordinator.fencing.Fences;
import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.machines.Machines;
import dev.pageferry.coordinator.maintenance.Maintenance;
import dev.pageferry.coordinator.metrics.CoordinatorMetrics;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.network.NetworkMembers;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.repair.RecordsRepairs;
import dev.pageferry.coordinator.request.Requests;
import dev.pageferry.coordinator.rpc.BackupService;
import dev.pageferry.coordinator.rpc.CoordinatorRpc;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.coordinator.store.WriteProbe;
import dev.pageferry.coordinator.validation.Validation;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A running coordinator: everything wired together, started in order, closed in reverse. */
final class Coordinator implements RunningServer {
  private static final Logger log = LoggerFactory.getLogger(Coordinator.class);
  private static final Duration HEARTBEAT_INTERVAL = Duration.ofSeconds(1);
  /** A host that was silent for that long is down. */
  private static final Duration HOST_TIMEOUT = Duration.ofSeconds(5);
  /** How long a host may start VMs that it received, counted from when it sent its last answered heartbeat. */
  private static final Duration LEASE = Duration.ofSeconds(10);

  private final RecordStore store;
  private final Task stallWatch;
  private final AgentClient agents;
  private final MigrationSupervisor migrations;
  private final CoordinatorRpc rpc;
  private final ObservabilityServer observability;
  /** What goes on beside the calls of operators and agents. */
  private final List<Task> loops;

  Coordinator(CoordinatorConfig config, String version) throws IOException {
    Optional<Credentials> credentials = config.security().open(Role.COORDINATOR, Optional.empty(),
        Scheduler.SYSTEM);
    Restoration.carryOut(config.data(), version);
    store = SqliteRecordStore.open(config.data());
    Machines machines;
    Failover restarting;
    Maintenance planned;
    EventObserver observer;
    try {
      HostInventory inventory = new HostInventory(store, HOST_TIMEOUT, LEASE, Scheduler.SYSTEM);
      stallWatch = inventory.noticeStalls(Scheduler.SYSTEM);
      SecureRandom random = new SecureRandom();
      RecordsHistory history = RecordsHistory.open(store, Scheduler.SYSTEM, random);
      history.holdUntil(inventory::isEverybodyHeard, HOST_TIMEOUT);
      OwnershipLedger ledger = new OwnershipLedger(store, history);
      CoordinatorMetrics metrics = new CoordinatorMetrics(version, inventory, ledger, history);
      AgentChannels channels = new AgentChannels(history::stamp, metrics.clientCalls(), credentials,
          address -> hostAt(inventory, address));
      agents = new GrpcAgentClient(channels, inventory::noteAnswer);
      Disks disks = new Disks(ledger, inventory, agents);
      migrations = new MigrationSupervisor(ledger, inventory, agents, metrics, Scheduler.SYSTEM, random);
      machines = new Machines(ledger, inventory, agents, disks, migrations::isMoving, Scheduler.SYSTEM, random);
      NetworkMembers network = new NetworkMembers(store, inventory, Ticker.SYSTEM);
      RecordsRepairs repairs = new RecordsRepairs(history, ledger, inventory, agents, Scheduler.SYSTEM);
      WriteProbe probe = new WriteProbe(store, Scheduler.SYSTEM);
      Requests requests = new Requests(store, Scheduler.SYSTEM, new SecureRandom());
      metrics.observe(migrations, requests);
      GrpcHostInspector inspector = new GrpcHostInspector(channels);
      restarting = new Failover(inventory, ledger, machines, inspector, agents, new HaSettings(store, Scheduler.SYSTEM),
          fences(inventory, store, config), Scheduler.SYSTEM);
      planned = new Maintenance(inventory, ledger, migrations,
          new Evacuation(inventory, ledger, agents, Scheduler.SYSTEM), Scheduler.SYSTEM, random, config.movesPerHost());
      EventLog events = new EventLog(store, Scheduler.SYSTEM);
      observer = new EventObserver(events, inventory, ledger, migrations, history, restarting, Scheduler.SYSTEM);
      HostDeaths deaths = new HostDeaths(inventory, ledger, agents, Scheduler.SYSTEM);
      metrics.observe(deaths, restarting);
      metrics.observe(planned);
      Admissions admissions = new Admissions(store, Scheduler.SYSTEM, random);
      credentials.ifPresent(it -> metrics.observeCertificate(it::notAfter));
      rpc = new CoordinatorRpc(config.listen(), version, inventory, ledger, machines, disks, network, migrations,
          history,
          repairs, requests, probe, HEARTBEAT_INTERVAL, LEASE, metrics.serverCalls(),
          new CoordinatorRpc.Access(credentials, admissions, new AuditLog(store, Scheduler.SYSTEM)),
          new Validation(inventory, ledger, inspector, credentials, version, Scheduler.SYSTEM,
              random),
          new BackupService(store, version, Scheduler.SYSTEM), deaths, restarting, planned, events);
      observability = new ObservabilityServer(config.http(), config.security().ofHttp(credentials),
          it -> admissions.isRevoked(it.role(), it.name()), metrics::scrape,
          () -> probe.trouble().or(() -> wentBack(history)));
    } catch (IOException | RuntimeException e) {
      store.close();
      throw e;
    }
    loops = begin(machines, restarting, planned, observer);
    migrations.recover();
    CommitRehearsal.start();
    log.info("listening: grpc {} http {} data {}", new HostPort(config.listen().host(), rpc.port()),
        new HostPort(config.http().host(), observability.port()), config.data().toAbsolutePath());
  }

  private static Fences fences(HostInventory inventory, RecordStore store, CoordinatorConfig config) {
    return new Fences(inventory, store, new FenceAgentPrograms(config.fenceAgents(), Scheduler.SYSTEM),
        Scheduler.SYSTEM);
  }

  /** Only once hosts can be heard: rows do not change before. */
  private static List<Task> begin(Machines machines, Failover restarting, Maintenance planned, EventObserver observer) {
    return List.of(untilInterrupted("recovery", () -> {
      machines.recover();
      machines.stopPoweredOff();
    }), untilInterrupted("failover", restarting::follow), untilInterrupted("maintenance", planned::follow),
        untilInterrupted("events", observer::follow));
  }

  /** One of them. */
  private interface Work {
    void run() throws InterruptedException;
  }

  private static Task untilInterrupted(String name, Work work) {
    return Scheduler.SYSTEM.start(name, () -> {
      try {
        work.run();
      } catch (InterruptedException e) {
        log.info("{} ends; what was under way is left to the next process of this coordinator", name);
      }
    });
  }

  /** The host whose agent has that address; empty: none, or more than one. */
  private static Optional<HostId> hostAt(HostInventory inventory, String address) {
    List<HostId> there = inventory.list().stream().filter(each -> each.record().getAddress().equals(address))
        .map(HostInventory.Host::id).toList();
    return there.size() == 1 ? Optional.of(there.getFirst()) : Optional.empty();
  }

  private static Optional<String> wentBack(RecordsHistory history) {
    return history.trouble().map(known -> "the records went back in time: %s; see 'ferry records repair --dry-run'"
        .formatted(known.evidence().getFirst()));
  }

  @Override
  public void close() throws InterruptedException {
    observability.close();
    loops.forEach(Task::interrupt);
    migrations.close();
    rpc.close();
    agents.close();
    stallWatch.interrupt();
    store.close();
  }
}
