package dev.pageferry.coordinator.availability;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.HostInspector;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.machines.Machines;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.ownership.RowsFrozenException;
import dev.pageferry.coordinator.placement.Placed;
import dev.pageferry.coordinator.placement.Placement;
import dev.pageferry.coordinator.placement.PlacementVm;
import dev.pageferry.coordinator.placement.World;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.records.v1.PendingMigration;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has VMs run again whose hosts stopped. Each look judges anew, from rows, heartbeats and storage, so that nothing depends on what this
 * process has seen before, but for how long it waits after a start that failed.
 */
public final class Failover {
  private static final Logger log = LoggerFactory.getLogger(Failover.class);
  private static final Duration LOOK = Duration.ofMillis(500);
  /** Where all hosts are heard and nothing is due only each so many looks read the rows. */
  private static final int CALM_LOOKS = 10;

  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final Machines machines;
  private final StorageLooks looks;
  private final ArrivalQuestions arrivals;
  private final HaSettings settings;
  private final Scheduler scheduler;
  private final Restarts restarts;
  private boolean isCalm;
  private int looksSinceRows;
  private volatile List<Waiting> waiting = List.of();

  /**
   * A VM whose host stopped, as far as is known, and that does not run again yet.
   *
   * @param host where it ran, or was to be started last
   * @param attempts starts that have failed
   */
  public record Waiting(String vm, String host, String reason, int attempts) {
  }

  /** A VM that is to be started, and how it is known that it may be. */
  private record Due(Row row, PlacementVm vm, String evidence) {
  }

  /** What one look at all rows found. */
  private static final class Found {
    private final List<Due> due = new ArrayList<>();
    private final Map<VmId, String> outlooks = new LinkedHashMap<>();
    private final Map<String, Waiting> waiting = new TreeMap<>();

    void waits(Row row, String reason) {
      VmRecord record = row.record();
      outlooks.put(row.id(), reason);
      waiting.put(record.getSpec().getName(), new Waiting(record.getSpec().getName(), record.getOwnerHost(), reason,
          record.getRestart().getAttempts()));
    }
  }

  public Failover(HostInventory inventory, OwnershipLedger ledger, Machines machines, HostInspector inspector,
      AgentClient agents, HaSettings settings, Scheduler scheduler) {
    this.inventory = inventory;
    this.ledger = ledger;
    this.machines = machines;
    this.looks = new StorageLooks(inspector, scheduler);
    this.arrivals = new ArrivalQuestions(agents, scheduler);
    this.settings = settings;
    this.scheduler = scheduler;
    this.restarts = new Restarts(ledger, machines,
        (host, incarnation) -> Fencing.isHeard(inventory, host, incarnation), scheduler);
  }

  public HaSettings settings() {
    return settings;
  }

  /** As the last look found them, by name. */
  public List<Waiting> waiting() {
    return waiting;
  }

  /** Looks again and again, until it is interrupted. */
  public void follow() throws InterruptedException {
    while (true) {
      scheduler.sleep(LOOK);
      try {
        if (!isCalm || !isEverybodyHeard() || ++looksSinceRows >= CALM_LOOKS) {
          look();
        }
      } catch (RowsFrozenException e) {
        log.debug("nothing is restarted: {}", e.getMessage());
      } catch (RuntimeException e) {
        log.error("hosts that stopped were not looked for, and are next time: {}", e.toString());
      }
    }
  }

  private boolean isEverybodyHeard() {
    return inventory.list().stream()
        .allMatch(each -> each.isConfirmedDead() || Fencing.isHeard(inventory, each.id(), each.incarnation()));
  }

  /** Whether nothing that was begun is under way. */
  boolean isIdle() {
    return restarts.isIdle();
  }

  /** Once: finds what is due, and begins it. */
  void look() throws InterruptedException {
    looksSinceRows = 0;
    Found found = new Found();
    if (settings.isArmed()) {
      ledger.requireChangeable();
      ClusterPicture picture = ClusterPicture.of(inventory, ledger);
      Fencing fencing = new Fencing(inventory, looks);
      for (Row each : ledger.list()) {
        judge(each, picture, fencing, found);
      }
      begin(picture, found);
    }
    machines.outlooks().become(found.outlooks);
    waiting = List.copyOf(found.waiting.values());
    isCalm = found.waiting.isEmpty() && restarts.isIdle();
  }

  private void judge(Row row, ClusterPicture picture, Fencing fencing, Found found) throws InterruptedException {
    VmRecord record = row.record();
    PlacementVm vm = picture.vm(record.getSpec().getName()).orElse(null);
    if (vm == null || restarts.isUnderWay(row.id()) || picture.neverBecause(vm).isPresent() || isSwitchedOff(row)) {
      return;
    }
    boolean isInMemory = record.getPhase() == VmRecord.Phase.ACTIVE || record.getPhase() == VmRecord.Phase.CREATING;
    if (!record.hasRestart() && record.getPhase() != VmRecord.Phase.ACTIVE) {
      return;
    }
    if (!isInMemory && record.hasPending()) {
      restoring(row, found);
      return;
    }
    if (!isInMemory) {
      found.due.add(new Due(row, vm, record.getRestart().getEvidence()));
      return;
    }
    switch (fencing.of(row)) {
      case Fencing.Finding.Heard() -> ownerIsHeard(row, vm, found);
      case Fencing.Finding.NotYet(String reason) -> found.waits(row, "it is restarted once more is known: " + reason);
      case Fencing.Finding.Gone(String reason) -> {
        if (record.hasPending()) {
          settle(row, found, reason);
        } else {
          found.due.add(new Due(row, vm, reason));
        }
      }
    }
  }

  private void restoring(Row row, Found found) {
    PendingMigration pending = row.record().getPending();
    HostId destination = new HostId(pending.getDestinationHost());
    if (Fencing.isHeard(inventory, destination, new Incarnation(pending.getDestinationIncarnation()))) {
      found.waits(row, "it is being restored on host %s".formatted(destination));
    } else {
      settle(row, found, "host %s is silent".formatted(destination));
    }
  }

  /** What its guest ended is not started again. */
  private boolean isSwitchedOff(Row row) {
    return inventory.lastTold(new HostId(row.record().getOwnerHost()), row.id())
        .filter(each -> each.getState() == VmStatus.State.POWERED_OFF && each.getEpoch() == row.record().getEpoch())
        .isPresent();
  }

  private void ownerIsHeard(Row row, PlacementVm vm, Found found) {
    if (!row.record().hasRestart()) {
      return;
    }
    if (row.record().getPhase() == VmRecord.Phase.ACTIVE) {
      restarts.isDone(row);
    } else {
      // It was being built when the coordinator ended.
      found.due.add(new Due(row, vm, row.record().getRestart().getEvidence()));
    }
  }

  /** A move, a save or a restore that was under way: the row decides it first. The next look goes on from there. */
  private void settle(Row row, Found found, String reason) {
    MigrationId operation = new MigrationId(row.record().getPending().getMigrationId());
    // A state that is whole in a file is kept: its owner is not alive, silent for however short a time.
    OwnershipLedger.Decision decision = ledger.resolve(row.id(), operation,
        (host, incarnation) -> Fencing.isHeard(inventory, host, incarnation));
    log.info("vm={} operation={} was under way when its host stopped, and is {}", row.record().getSpec().getName(),
        operation, decision.outcome());
    if (!row.record().hasRestart()) {
      restarts.isDue(row, reason);
    }
    found.waits(row, "what was under way is decided first: " + reason);
  }

  private void begin(ClusterPicture picture, Found found) throws InterruptedException {
    List<Due> ready = new ArrayList<>();
    for (Due each : found.due) {
      restarts.obstacle(each.row()).ifPresentOrElse(why -> found.waits(each.row(), why), () -> ready.add(each));
    }
    if (ready.isEmpty()) {
      return;
    }
    Map<String, Due> byName = new LinkedHashMap<>();
    ready.forEach(each -> byName.put(each.vm().name(), each));
    List<PlacementVm> vms = ready.stream().map(Due::vm).toList();
    World world = picture.world(arrivals.refusals(picture, vms));
    for (Due each : ready) {
      // Silent hosts are not down at once.
      String owner = each.vm().host();
      world = owner.isEmpty() || isHeard(each.row()) ? world : world.after(owner);
    }
    for (Placed each : Placement.of(world, vms)) {
      Due due = Objects.requireNonNull(byName.get(each.vm().name()));
      if (each.host().isEmpty()) {
        found.waits(due.row(), each.reason());
      } else {
        found.waits(due.row(), "it is being started on host %s, since %s".formatted(each.host().get(),
            each.reason()));
        restarts.begin(due.row(), each.host().get(), due.evidence());
      }
    }
  }

  private boolean isHeard(Row row) {
    return Fencing.isHeard(inventory, new HostId(row.record().getOwnerHost()),
        new Incarnation(row.record().getOwnerIncarnation()));
  }
}
