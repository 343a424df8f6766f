package dev.pageferry.simulation;

import dev.pageferry.common.concurrent.Task;
import dev.pageferry.coordinator.access.Admissions;
import dev.pageferry.coordinator.availability.Failover;
import dev.pageferry.coordinator.availability.HaSettings;
import dev.pageferry.coordinator.disks.Disks;
import dev.pageferry.coordinator.fencing.Fences;
import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.machines.Machines;
import dev.pageferry.coordinator.membership.Membership;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.network.NetworkMembers;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.repair.RecordsRepairs;
import dev.pageferry.coordinator.rpc.OwnershipService;
import dev.pageferry.coordinator.rpc.RegistryService;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.simulation.SimulatedNetwork.Place;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** The coordinator: its processes come and go, its records stay. */
final class SimulatedCoordinator implements Place<SimulatedCoordinator.Services> {
  private static final Duration HEARTBEAT_INTERVAL = Duration.ofSeconds(1);
  private static final Duration HOST_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration LEASE = Duration.ofSeconds(10);

  private final Baton baton;
  private final SimulatedNetwork network;
  private final SimulatedStore disk;
  private final Map<String, Place<SimulatedAgent>> agents;
  private SimulatedScheduler process;
  private final Planted planted;
  private int starts;
  private @Nullable Services services;

  /** What one process of it has. */
  record Services(OwnershipLedger ledger, HostInventory inventory, MigrationSupervisor migrations,
      OwnershipService ownership, RegistryService registry, Machines machines, Failover failover,
      RecordsHistory history) {
  }

  SimulatedCoordinator(Baton baton, SimulatedNetwork network, SimulatedStore disk,
      Map<String, Place<SimulatedAgent>> agents, Planted planted) {
    this.planted = planted;
    this.baton = baton;
    this.network = network;
    this.disk = disk;
    this.agents = agents;
    this.process = baton.newHost("coordinator-0", 1);
  }

  @Override
  public SimulatedScheduler process() {
    return process;
  }

  @Override
  public @Nullable Services get() {
    return services;
  }

  Services services() {
    return Objects.requireNonNull(services, "the coordinator is starting");
  }

  void start() {
    SimulatedScheduler born = process;
    Task unused = born.start("boot", () -> boot(born));
  }

  private void boot(SimulatedScheduler born) {
    RecordStore store = disk.open(born);
    HostInventory inventory = new HostInventory(store, HOST_TIMEOUT, LEASE, born);
    Task unused = inventory.noticeStalls(born);
    SimulatedAgents client = new SimulatedAgents(network, born, agents, inventory::noteAnswer);
    RecordsHistory history = RecordsHistory.open(store, born, baton.newRandom());
    history.holdUntil(inventory::isEverybodyHeard, HOST_TIMEOUT);
    OwnershipLedger ledger = new OwnershipLedger(store, history);
    NetworkMembers members = new NetworkMembers(store, inventory, born);
    MigrationSupervisor migrations = new MigrationSupervisor(ledger, inventory, client, ended -> {
    }, born, baton.newRandom());
    Machines machines = new Machines(ledger, inventory, client, new Disks(ledger, inventory, client),
        migrations::isMoving, born, baton.newRandom());
    Failover failover = new Failover(inventory, ledger, machines,
        new SimulatedInspector(network, born, agents, planted == Planted.FENCE_FAILS_OPEN), client,
        new HaSettings(store, born), new Fences(inventory, store, (device, action) -> {
          throw new IllegalStateException("no host has a fence agent");
        }, born), born);
    RecordsRepairs repairs = new RecordsRepairs(history, ledger, inventory, client, born);
    services = new Services(ledger, inventory, migrations,
        new OwnershipService(ledger, inventory::isAlive, history, host -> true),
        new RegistryService(new Membership(inventory, ledger, history, repairs, members,
            new Admissions(store, born, new Random(1)), failover.leases()), inventory, HEARTBEAT_INTERVAL,
            LEASE),
        machines, failover, history);
    untilInterrupted(born, "recovery", () -> {
      machines.recover();
      machines.stopPoweredOff();
    });
    untilInterrupted(born, "failover", failover::follow);
    migrations.recover();
  }

  /** What goes on beside the calls of operators and agents. */
  private interface Work {
    void run() throws InterruptedException;
  }

  private static void untilInterrupted(SimulatedScheduler process, String name, Work work) {
    Task unused = process.start(name, () -> {
      try {
        work.run();
      } catch (InterruptedException e) {
        throw new IllegalStateException("nobody interrupts it", e);
      }
    });
  }

  /** Its process stands still for a while, unless it ends meanwhile. */
  void freeze(Duration time) {
    SimulatedScheduler frozen = process;
    if (!frozen.isFrozen()) {
      frozen.freeze(true);
      baton.at(baton.nanos() + time.toNanos(), frozen.name(), "it thaws", () -> {
        if (!frozen.isSealed()) {
          frozen.freeze(false);
        }
      });
    }
  }

  /** Ends the process as kill -9 does, and starts another one after a while. */
  void restartAfter(Duration down) {
    services = null;
    process.kill();
    if (planted == Planted.RECORDS_GO_BACK) {
      disk.goBack();
    }
    process = baton.newHost("coordinator-" + ++starts, 1);
    process.later(down, "the coordinator starts", this::start);
  }
}
