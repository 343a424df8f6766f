package dev.pageferry.coordinator.maintenance;

import dev.pageferry.common.concurrent.Mutex;
import dev.pageferry.common.concurrent.RandomIds;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.availability.Evacuation;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.placement.Rebalancing.Shift;
import dev.pageferry.coordinator.plans.MovePlans;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.proto.cluster.v1.Forecast;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import dev.pageferry.proto.cluster.v1.PlannedMove.State;
import dev.pageferry.proto.cluster.v1.Rolling;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Hosts are emptied and filled again, memory is evened out: what operators ask for, and the loop that carries it out. */
public final class Maintenance {
  private static final Logger log = LoggerFactory.getLogger(Maintenance.class);
  private static final Duration WHILE_MOVING = Duration.ofMillis(100);
  private static final Duration ELSE = Duration.ofSeconds(1);
  private static final int NAMED = 3;

  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final MigrationSupervisor migrations;
  private final Evacuation evacuation;
  private final MovePlans plans;
  private final PlanSteps steps;
  private final PlannedMoves moves;
  private final Scheduler scheduler;
  private final RandomGenerator random;
  private final int atOnce;
  /** Whoever changes a plan does it alone. */
  private final Mutex changes;
  private final Signal asked;
  private final AtomicBoolean isAsked = new AtomicBoolean();
  /** When rows were read for a plan, by its id, on the scheduler's clock. */
  private final Map<String, Long> lookedAt = new ConcurrentHashMap<>();

  /** @param atOnce how many moves of plans may leave a host, or come to one, at the same time */
  public Maintenance(HostInventory inventory, OwnershipLedger ledger, MigrationSupervisor migrations,
      Evacuation evacuation, Scheduler scheduler, RandomGenerator random, int atOnce) {
    this.inventory = inventory;
    this.ledger = ledger;
    this.migrations = migrations;
    this.evacuation = evacuation;
    this.plans = inventory.plans();
    this.moves = new PlannedMoves(migrations, plans, scheduler);
    this.steps = new PlanSteps(inventory, ledger, evacuation, moves, scheduler, atOnce);
    this.scheduler = scheduler;
    this.random = random;
    this.atOnce = atOnce;
    this.changes = scheduler.newMutex();
    this.asked = scheduler.newSignal();
  }

  /** Carries plans out, until it is interrupted. */
  public void follow() throws InterruptedException {
    while (true) {
      boolean isMoving = plans.list().stream().anyMatch(each -> each.getState() == MovePlan.State.RUNNING);
      asked.await(() -> isAsked.getAndSet(false), isMoving ? WHILE_MOVING : ELSE);
      look();
    }
  }

  /** Once. */
  void look() throws InterruptedException {
    for (MovePlan each : plans.list()) {
      try {
        changes.alone(() -> {
          step(each);
          return true;
        });
      } catch (RuntimeException | Error e) {
        // The others go on all the same, and this one next time.
        log.error("plan={} is not carried on", each.getId(), e);
      }
    }
  }

  private void step(MovePlan seen) throws InterruptedException {
    Optional<MovePlan> now = current(seen);
    if (now.isEmpty() || isAtRest(now.get())) {
      return;
    }
    MovePlan.Builder next = now.get().toBuilder();
    moves.follow(next);
    if (isAsBefore(next, now.get())) {
      return;
    }
    steps.take(next);
    lookedAt.put(next.getId(), scheduler.nanos());
    plans.put(next.build());
    if (next.getState() != now.get().getState()) {
      log.info("plan={} {} {} is {} {}", next.getId(), next.getKind(), next.getHost(), next.getState(),
          next.getReason());
    }
  }

  /** Whether something is under way, and has not ended: then rows need not be read again just now. */
  private boolean isAsBefore(MovePlan.Builder next, MovePlan now) {
    Long looked = lookedAt.get(now.getId());
    return looked != null && scheduler.nanos() - looked < ELSE.toNanos()
        && now.getMovesList().stream().anyMatch(each -> each.getState() == State.MOVING) && next.build().equals(now);
  }

  /** An operator may have put another one in its place. */
  private Optional<MovePlan> current(MovePlan seen) {
    return (seen.getHost().isEmpty() ? plans.ofAll() : plans.of(new HostId(seen.getHost())))
        .filter(each -> each.getId().equals(seen.getId()));
  }

  /** A drain goes on for as long as the host is not activated. */
  private static boolean isAtRest(MovePlan plan) {
    return plan.getKind() != MovePlan.Kind.DRAIN && plan.getState() != MovePlan.State.RUNNING;
  }

  /**
   * Has all VMs of a host leave it.
   *
   * @param quick through files on shared storage
   * @param dryRun only says what would be
   * @throws RequestException if there is no such host, or a VM of it has nowhere to go; then nothing was changed
   */
  public MovePlan drain(String name, boolean quick, boolean dryRun) throws RequestException, InterruptedException {
    return changes.<MovePlan, RequestException>alone(() -> {
      Host host = RequestedHost.find(inventory, name);
      Optional<MovePlan> before = plans.of(host.id());
      if (!dryRun && before.filter(each -> isTheSame(each, quick)).isPresent()) {
        return shown(before.get());
      }
      MovePlan.Builder plan = newPlan(MovePlan.Kind.DRAIN, name).setQuick(quick);
      before.ifPresent(each -> takeOver(each, plan));
      requireHeard(host);
      MovePlan.Builder first = plan.clone();
      steps.preview(first);
      List<PlannedMove> nowhere = first.getMovesList().stream()
          .filter(each -> each.getState() == State.WAITING && each.getTo().isEmpty()).toList();
      if (dryRun) {
        return shown(first.setState(MovePlan.State.DRY_RUN).clearId().build());
      }
      if (!nowhere.isEmpty()) {
        throw new RequestException(Kind.REFUSED, "host %s cannot be drained, and nothing was changed: %s%s", name,
            nowhere.stream().limit(NAMED).map(each -> "VM %s: %s".formatted(each.getVm(), each.getReason()))
                .collect(Collectors.joining("; ")),
            nowhere.size() > NAMED ? "; and %d more VMs".formatted(nowhere.size() - NAMED) : "");
      }
      ledger.requireChangeable();
      return begun(first);
    });
  }

  /** Whether a drain does already what is asked for. */
  private static boolean isTheSame(MovePlan before, boolean quick) {
    return before.getKind() == MovePlan.Kind.DRAIN && before.getState() != MovePlan.State.FAILED
        && before.getQuick() == quick
        && before.getMovesList().stream().noneMatch(each -> each.getState() == State.FAILED);
  }

  private MovePlan begun(MovePlan.Builder plan) {
    forecast(plan.getMovesList()).ifPresent(plan::setForecast);
    plan.setState(MovePlan.State.RUNNING);
    plans.put(plan.build());
    log.info("plan={} {} {} begun: {} VMs", plan.getId(), plan.getKind(), plan.getHost(), plan.getMovesCount());
    isAsked.set(true);
    asked.raise();
    return shown(plan.build());
  }

  private MovePlan.Builder newPlan(MovePlan.Kind kind, String host) {
    return MovePlan.newBuilder().setId(RandomIds.uuid(random)).setKind(kind).setHost(host)
        .setBegunAt(MovePlans.timestamp(scheduler.wallMillis()));
  }

  /** Of a host whose agent is not heard nothing can be moved. */
  private void requireHeard(Host host) throws RequestException {
    List<String> vms = ledger.list().stream()
        .filter(each -> VmPlace.concerns(each, VmPlace.of(inventory, each), host.id().value()))
        .map(each -> each.record().getSpec().getName()).toList();
    if (!host.isUp() && !vms.isEmpty()) {
      throw new RequestException(Kind.REFUSED,
          "host %s is DOWN: no heartbeat, and VM %s may run there; what becomes of it, 'ferry ha status' tells",
          host.id(), vms.getFirst());
    }
  }

  /** What the plan before has moved, or is moving, stays known, so that it can be brought back. */
  private void takeOver(MovePlan before, MovePlan.Builder plan) {
    MovePlan.Builder known = before.toBuilder();
    moves.follow(known);
    for (PlannedMove each : known.getMovesList()) {
      boolean hasLeft = each.getState() == State.MOVED && each.getFrom().equals(plan.getHost());
      boolean isComing = before.getKind() == MovePlan.Kind.FAIL_BACK && each.getTo().equals(plan.getHost())
          && (each.getState() == State.WAITING || each.getState() == State.FAILED);
      if (before.getKind() == MovePlan.Kind.DRAIN && hasLeft || each.getState() == State.MOVING) {
        plan.addMoves(each);
      } else if (isComing) {
        plan.addMoves(each.toBuilder().setState(State.MOVED).setFrom(each.getTo()).setTo(each.getFrom())
            .setAttempts(0).clearReason());
      }
    }
  }

  /**
   * Lets VMs come to a host again.
   *
   * @param failBack whether those that left it are brought back
   * @throws RequestException if there is no such host
   */
  public MovePlan activate(String name, boolean failBack) throws RequestException, InterruptedException {
    return changes.<MovePlan, RequestException>alone(() -> {
      Host host = RequestedHost.find(inventory, name);
      Optional<MovePlan> before = plans.of(host.id());
      MovePlan.Builder plan = newPlan(MovePlan.Kind.FAIL_BACK, name);
      if (before.isPresent() && before.get().getKind() == MovePlan.Kind.FAIL_BACK) {
        if (failBack || before.get().getState() != MovePlan.State.RUNNING) {
          return shown(before.get());
        }
      } else if (failBack) {
        before.ifPresent(each -> bringBack(each, plan));
      }
      return begun(plan);
    });
  }

  private void bringBack(MovePlan drain, MovePlan.Builder plan) {
    MovePlan.Builder known = drain.toBuilder();
    moves.follow(known);
    plan.setQuick(drain.getQuick());
    for (PlannedMove each : known.getMovesList()) {
      if (each.getState() == State.MOVING) {
        plan.addMoves(each);
      } else if (each.getState() == State.MOVED) {
        plan.addMoves(each.toBuilder().setState(State.WAITING).setFrom(each.getTo()).setTo(each.getFrom())
            .setAttempts(0).setQuick(drain.getQuick()).clearMigrationId().clearReason().clearBlackoutSeconds());
      }
    }
  }

  /**
   * Evens out free memory.
   *
   * @throws RequestException if that is under way already
   */
  public MovePlan rebalance(boolean dryRun) throws RequestException, InterruptedException {
    return changes.<MovePlan, RequestException>alone(() -> {
      Optional<MovePlan> before = plans.ofAll().filter(each -> each.getState() == MovePlan.State.RUNNING);
      if (before.isPresent() && !dryRun) {
        throw new RequestException(Kind.REFUSED, "memory is being evened out already (plan %s); wait for its end",
            before.get().getId());
      }
      MovePlan.Builder plan = newPlan(MovePlan.Kind.REBALANCE, "");
      Map<String, Row> rows = ledger.list().stream()
          .collect(Collectors.toMap(each -> each.record().getSpec().getName(), each -> each, (a, _) -> a));
      for (Shift each : evacuation.shifts()) {
        Row row = rows.get(each.vm().name());
        if (row != null && VmPlace.of(inventory, row) instanceof VmPlace.On) {
          plan.addMoves(move(each, row));
        }
      }
      if (dryRun) {
        return shown(plan.setState(MovePlan.State.DRY_RUN).clearId().build());
      }
      ledger.requireChangeable();
      return begun(plan);
    });
  }

  private static PlannedMove move(Shift shift, Row row) {
    return PlannedMove.newBuilder().setVm(shift.vm().name()).setVmId(row.id().value()).setFrom(shift.vm().host())
        .setTo(shift.to()).setState(State.WAITING).setMemoryBytes(shift.vm().memoryBytes())
        .setReason("host %s has more free memory".formatted(shift.to())).build();
  }

  /**
   * What a rolling drain has done by now; the first call begins one.
   *
   * @param done a host more that is done; empty: none
   * @param end whether that was the last
   */
  public Rolling noteRolling(String done, boolean end) throws RequestException, InterruptedException {
    return changes.<Rolling, RequestException>alone(() -> {
      Rolling.Builder rolling = plans.rolling().map(Rolling::toBuilder).orElseGet(
          () -> Rolling.newBuilder().setBegunAt(MovePlans.timestamp(scheduler.wallMillis())));
      if (!done.isEmpty() && !rolling.getDoneList().contains(RequestedHost.find(inventory, done).id().value())) {
        rolling.addDone(done);
      }
      plans.putRolling(end ? Optional.empty() : Optional.of(rolling.build()));
      return rolling.build();
    });
  }

  /** The plan whose id begins so. */
  public MovePlan plan(String id) throws RequestException {
    List<MovePlan> matching = plans.list().stream().filter(each -> !id.isEmpty() && each.getId().startsWith(id))
        .toList();
    if (matching.size() != 1) {
      throw new RequestException(matching.isEmpty() ? Kind.NOT_FOUND : Kind.INVALID,
          matching.isEmpty() ? "plan '%s' is not known; another may have taken its place" : "plan '%s' is ambiguous",
          id);
    }
    return shown(matching.getFirst());
  }

  /** The last one of each host, and the last one for all; the newest first. */
  public List<MovePlan> list() {
    return plans.list().stream().map(this::shown).toList();
  }

  /** How many moves of all plans are in that state. */
  public long count(State state) {
    return plans.list().stream().flatMap(each -> each.getMovesList().stream())
        .filter(each -> each.getState() == state).count();
  }

  /** With how long it takes from now on. */
  private MovePlan shown(MovePlan plan) {
    MoveForecast forecast = forecasts();
    MovePlan.Builder shown = plan.toBuilder();
    shown.getMovesBuilderList().stream()
        .filter(each -> each.getState() == State.WAITING || each.getState() == State.MOVING)
        .forEach(each -> each.setSeconds(forecast.secondsOf(each.build())));
    forecast(plan.getMovesList()).ifPresent(shown::setRest);
    return shown.build();
  }

  private Optional<Forecast> forecast(List<PlannedMove> ofPlan) {
    Map<String, Double> underWay = new HashMap<>();
    for (PlannedMove each : ofPlan) {
      if (each.getState() == State.MOVING && !each.getMigrationId().isEmpty()) {
        try {
          Migration migration = migrations.show(each.getMigrationId());
          underWay.put(each.getVm(), (scheduler.wallMillis() - migration.getAcceptedAtMillis()) / 1000.0);
        } catch (RequestException e) {
          log.debug("plan's migration {} is not known any more: {}", each.getMigrationId(), e.getMessage());
        }
      }
    }
    return forecasts().rest(ofPlan, atOnce, underWay);
  }

  private MoveForecast forecasts() {
    return new MoveForecast(migrations.list(), ledger.list().stream().map(Row::record).collect(
        Collectors.toMap(each -> each.getSpec().getName(), each -> each.getSpec().getMemoryBytes(), (a, _) -> a)));
  }
}
