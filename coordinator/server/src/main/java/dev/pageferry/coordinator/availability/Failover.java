package dev.pageferry.coordinator.availability;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.HostInspector;
import dev.pageferry.coordinator.fencing.Fences;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.machines.Machines;
import dev.pageferry.coordinator.ownership.LiveHosts;
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
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has VMs run again whose hosts stopped. Each look judges anew, from rows, heartbeats and storage: this process needs to remember nothing but
 * how long it waits after a start that failed.
 */
public final class Failover {
  private static final Logger log = LoggerFactory.getLogger(Failover.class);
  /** How often it is seen whether somebody has fallen silent. */
  private static final Duration TICK = Duration.ofMillis(100);
  /** Each so many ticks the rows are read while something is due, or somebody is silent. */
  private static final int TICKS_OF_A_LOOK = 5;
  private static final Duration LOOK = TICK.multipliedBy(TICKS_OF_A_LOOK);
  private static final int TICKS_OF_A_CALM_LOOK = 50;

  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final Machines machines;
  private final StorageLooks looks;
  private final ArrivalQuestions arrivals;
  private final HaSettings settings;
  private final Fences fences;
  private final PowerFencing powerFencing;
  private final Scheduler scheduler;
  private final LiveHosts heard;
  private final Restarts restarts;
  private final MembershipLeases leases;
  private boolean isCalm;
  private int ticksWithoutLook;
  private Set<HostId> silent = Set.of();
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
    private final List<KnownWaits.Wait> bounded = new ArrayList<>();
    private final List<PowerFencing.Undecided> undecided = new ArrayList<>();
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
      AgentClient agents, HaSettings settings, Fences fences, Scheduler scheduler) {
    this.inventory = inventory;
    this.ledger = ledger;
    this.machines = machines;
    this.looks = new StorageLooks(inspector, scheduler);
    this.arrivals = new ArrivalQuestions(agents, scheduler);
    this.settings = settings;
    this.fences = fences;
    this.powerFencing = new PowerFencing(inventory, fences);
    this.scheduler = scheduler;
    this.heard = (host, incarnation) -> Fencing.isHeard(inventory, host, incarnation);
    this.leases = new MembershipLeases(inventory, ledger, settings, scheduler);
    this.restarts = new Restarts(ledger, machines, heard, leases, scheduler);
  }

  public HaSettings settings() {
    return settings;
  }

  /** Has VMs restarted by themselves, or not. A second time changes nothing. */
  public void arm(boolean armed) {
    settings.arm(armed);
    if (!armed) {
      leases.unbindAll();
    }
  }

  /** Given to hosts with the answers to their heartbeats. */
  public MembershipLeases leases() {
    return leases;
  }

  /** By what hosts are switched off. */
  public Fences fences() {
    return fences;
  }

  /** As the last look found them, by name. */
  public List<Waiting> waiting() {
    return waiting;
  }

  /** Looks again and again, until it is interrupted. */
  public void follow() throws InterruptedException {
    while (true) {
      scheduler.sleep(TICK);
      try {
        ticksWithoutLook++;
        if (isTimeToLook()) {
          look();
        }
      } catch (RuntimeException | Error e) {
        // Errors, too: without this loop nothing runs again.
        machines.outlooks().replaceAll(Map.of());
        log.error("hosts that stopped were not looked for; they are next time", e);
      }
    }
  }

  /** At once when somebody falls silent, else now and then. */
  private boolean isTimeToLook() {
    Set<HostId> now = inventory.list().stream()
        .filter(each -> !each.isConfirmedDead() && !heard.isAlive(each.id(), each.incarnation()))
        .map(HostInventory.Host::id).collect(Collectors.toSet());
    boolean isNew = !silent.containsAll(now);
    silent = now;
    return isNew || ticksWithoutLook >= (isCalm && now.isEmpty() ? TICKS_OF_A_CALM_LOOK : TICKS_OF_A_LOOK);
  }

  /** Whether nothing that was begun is under way. */
  boolean isIdle() {
    return restarts.isIdle();
  }

  /** Once: finds what is due, and begins it. */
  void look() throws InterruptedException {
    ticksWithoutLook = 0;
    Found found = new Found();
    Optional<String> held = heldBack();
    inventory.stops().expire(scheduler.wallMillis());
    ClusterPicture picture = ClusterPicture.of(inventory, ledger);
    Fencing fencing = new Fencing(inventory, ledger, looks, leases);
    // Ahead of the rows: what ends meanwhile is judged by the next look, not by a row from before.
    Set<VmId> underWay = restarts.underWay();
    List<Row> rows = ledger.list().stream().filter(each -> mayBeDue(each, picture, underWay)).toList();
    fencing.lookAtStorage(rows.stream().filter(Failover::isOnAHost).toList(), scheduler);
    for (Row each : rows) {
      try {
        if (underWay.contains(each.id())) {
          found.waits(each, "it is being started");
        } else {
          judge(each, picture.vm(each.record().getSpec().getName()).orElseThrow(), fencing, found);
        }
      } catch (RuntimeException e) {
        // The others are judged all the same.
        log.error("vm={} is not judged", each.record().getSpec().getName(), e);
        found.waits(each, "it could not be judged: " + e.getMessage());
      }
    }
    for (PowerFencing.Undecided each : found.undecided) {
      found.waits(each.row(), "not restarted yet: " + judge(each, picture, held));
    }
    if (held.isPresent()) {
      found.due.forEach(each -> found.waits(each.row(), held.get()));
    } else {
      begin(picture, found);
      KnownWaits.foretell(found.bounded, withoutSilent(picture.world()), Instant.ofEpochMilli(scheduler.wallMillis()),
          LOOK,
          found::waits);
    }
    machines.outlooks().replaceAll(found.outlooks);
    waiting = List.copyOf(found.waiting.values());
    isCalm = found.waiting.isEmpty() && restarts.isIdle();
  }

  private String judge(PowerFencing.Undecided vm, ClusterPicture picture, Optional<String> held) {
    try {
      return powerFencing.judge(vm, withoutSilent(picture.world()), held.or(() -> restarts.obstacle(vm.row())));
    } catch (RuntimeException e) {
      // The others are judged all the same.
      log.error("vm={} whether its host is to be switched off is not judged", vm.vm().name(), e);
      return "it could not be judged whether its host is to be switched off: " + e.getMessage();
    }
  }

  /** Whether it is for this to have the VM run; what was noted of one that it is not, or that runs, goes. */
  private boolean mayBeDue(Row row, ClusterPicture picture, Set<VmId> underWay) {
    Optional<PlacementVm> vm = picture.vm(row.record().getSpec().getName());
    boolean isOurs = vm.isPresent() && picture.neverBecause(vm.get()).isEmpty() && !isSwitchedOff(row);
    boolean runs = row.record().getPhase() == VmRecord.Phase.ACTIVE && isOwnerHeard(row);
    if (row.record().hasRestart() && (!isOurs || runs) && !underWay.contains(row.id())) {
      restarts.forget(row);
    }
    return isOurs && !runs;
  }

  private boolean isOwnerHeard(Row row) {
    return heard.isAlive(new HostId(row.record().getOwnerHost()), new Incarnation(row.record().getOwnerIncarnation()));
  }

  /** Why nothing is started now, whatever is due. */
  private Optional<String> heldBack() {
    if (!settings.isArmed()) {
      return Optional.of("restarts are disarmed; 'ferry ha arm' allows them");
    }
    try {
      ledger.requireChangeable();
      return Optional.empty();
    } catch (RowsFrozenException e) {
      return Optional.of(String.valueOf(e.getMessage()));
    }
  }

  /** What its guest ended is not started again. */
  private boolean isSwitchedOff(Row row) {
    return inventory.lastTold(new HostId(row.record().getOwnerHost()), row.id())
        .filter(each -> each.getState() == VmStatus.State.POWERED_OFF && each.getEpoch() == row.record().getEpoch())
        .isPresent();
  }

  private void judge(Row row, PlacementVm vm, Fencing fencing, Found found) {
    if (isOnAHost(row)) {
      onAHost(row, vm, fencing, found);
    } else if (row.record().hasRestart()) {
      // Else it is stopped or saved as an operator wanted.
      onNoHost(row, vm, found);
    }
  }

  /** Not one that an operator creates or starts, who is told what comes of it. */
  private static boolean isOnAHost(Row row) {
    VmRecord.Phase phase = row.record().getPhase();
    return phase == VmRecord.Phase.ACTIVE || phase == VmRecord.Phase.CREATING && row.record().hasRestart();
  }

  private void onAHost(Row row, PlacementVm vm, Fencing fencing, Found found) {
    switch (fencing.of(row)) {
      case Fencing.Finding.Heard() -> {
        if (isBeingBuilt(row)) {
          found.waits(row, "it is being built on host %s".formatted(row.record().getOwnerHost()));
        } else if (row.record().getPhase() == VmRecord.Phase.CREATING) {
          // The coordinator ended meanwhile, and nobody hears what comes of it.
          found.due.add(new Due(row, vm, row.record().getRestart().getEvidence()));
        }
      }
      case Fencing.Finding.NotYet(String reason, Optional<Duration> within) -> {
        found.waits(row, "not restarted yet: " + reason);
        within.ifPresent(each -> found.bounded.add(new KnownWaits.Wait(row, vm, "not restarted yet: " + reason, each)));
      }
      case Fencing.Finding.Undecided(String reason) -> found.undecided
          .add(new PowerFencing.Undecided(row, vm, reason));
      case Fencing.Finding.Gone(String evidence) -> found.due.add(new Due(row, vm, evidence));
    }
  }

  private boolean isBeingBuilt(Row row) {
    return row.record().getPhase() == VmRecord.Phase.CREATING && inventory
        .find(new HostId(row.record().getOwnerHost())).filter(each -> each.coming().contains(row.id())).isPresent();
  }

  private void onNoHost(Row row, PlacementVm vm, Found found) {
    PendingMigration pending = row.record().getPending();
    HostId destination = row.record().hasPending() ? new HostId(pending.getDestinationHost()) : null;
    if (destination != null && heard.isAlive(destination, new Incarnation(pending.getDestinationIncarnation()))) {
      found.waits(row, "it is being restored on host %s".formatted(destination));
    } else {
      found.due.add(new Due(row, vm, row.record().getRestart().getEvidence()));
    }
  }

  private void begin(ClusterPicture picture, Found found) throws InterruptedException {
    List<Due> ready = new ArrayList<>();
    for (Due each : found.due) {
      noteStop(each.row().record());
      if (each.row().record().hasPending()) {
        try {
          settle(each, found);
        } catch (RuntimeException e) {
          // The others go on all the same.
          log.error("vm={} what was under way is not decided", each.vm().name(), e);
          found.waits(each.row(), "what was under way could not be decided: " + e.getMessage());
        }
        continue;
      }
      restarts.obstacle(each.row()).ifPresentOrElse(why -> found.waits(each.row(), why), () -> ready.add(each));
    }
    if (!ready.isEmpty()) {
      place(ready, picture, found);
    }
  }

  /** Before the first start of its VMs. */
  private void noteStop(VmRecord record) {
    if (!record.hasRestart()) {
      inventory.stops().note(new HostId(record.getOwnerHost()), new Incarnation(record.getOwnerIncarnation()),
          scheduler.wallMillis());
    }
  }

  /** A move, a save or a restore that was under way: the row decides it first. The next look goes on from there. */
  private void settle(Due due, Found found) {
    Row row = due.row();
    if (!row.record().hasRestart()) {
      restarts.noteDue(row, due.evidence());
    }
    MigrationId operation = new MigrationId(row.record().getPending().getMigrationId());
    // A state that is whole in a file is kept: its owner is not alive, silent for however short a time.
    OwnershipLedger.Decision decision = ledger.resolve(row.id(), operation, heard);
    if (decision.outcome() == OwnershipLedger.Outcome.COMMITTED) {
      // Saved as an operator wanted, or gone to where it is now.
      restarts.forget(row);
    }
    log.info("vm={} operation={} was under way when its host stopped, and is {}", row.record().getSpec().getName(),
        operation, decision.outcome());
    found.waits(row, "what was under way is decided first");
  }

  private void place(List<Due> ready, ClusterPicture picture, Found found) throws InterruptedException {
    Map<String, Due> byName = new LinkedHashMap<>();
    ready.forEach(each -> byName.put(each.vm().name(), each));
    List<PlacementVm> vms = ready.stream().map(Due::vm).toList();
    Map<String, Map<String, String>> refusals = new LinkedHashMap<>();
    arrivals.refusals(picture, vms).forEach((host, said) -> refusals.put(host, new LinkedHashMap<>(said)));
    World world = withoutSilent(picture.world(refusals));
    for (Due each : ready) {
      String failedOn = each.row().record().getRestart().getFailedOn();
      if (!failedOn.isEmpty() && isPlaceable(world, each.vm(), failedOn)) {
        refusals.computeIfAbsent(failedOn, _ -> new LinkedHashMap<>()).put(each.vm().name(),
            "the last start failed there");
      }
    }
    for (Placed each : Placement.of(withoutSilent(picture.world(refusals)), vms)) {
      Due due = Objects.requireNonNull(byName.get(each.vm().name()));
      if (each.host().isEmpty()) {
        found.waits(due.row(), each.reason());
      } else if (restarts.room() == 0) {
        found.waits(due.row(), "it waits for its turn to be started");
      } else {
        found.waits(due.row(), "it is being started on host %s, since %s".formatted(each.host().get(),
            each.reason()));
        restarts.begin(due.row(), each.host().get(), due.evidence());
      }
    }
  }

  /** Hosts that are silent are not down at once. */
  private World withoutSilent(World world) {
    World left = world;
    for (HostInventory.Host each : inventory.list()) {
      if (each.isUp() && !heard.isAlive(each.id(), each.incarnation())) {
        left = left.after(each.id().value());
      }
    }
    return left;
  }

  private static boolean isPlaceable(World world, PlacementVm vm, String elsewhereThan) {
    return Placement.of(world, List.of(vm)).getFirst().verdicts().stream()
        .anyMatch(each -> each.isEligible() && !each.host().equals(elsewhereThan));
  }
}
