package dev.pageferry.coordinator.maintenance;

import dev.pageferry.common.concurrent.Mutex;
import dev.pageferry.common.concurrent.RandomIds;
import dev.pageferry.common.concurrent.Scheduler;
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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Hosts are emptied and filled again, memory is evened out: what operators ask for, and the loop that carries it out. */
public final class Maintenance {
  private static final Logger log = LoggerFactory.getLogger(Maintenance.class);
  private static final int NAMED = 3;

  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final MigrationSupervisor migrations;
  private final Evacuation evacuation;
  private final MovePlans plans;
  private final PlanSteps steps;
  private final PlannedMoves moves;
  private final PlanLoop loop;
  private final Scheduler scheduler;
  private final RandomGenerator random;
  private final int atOnce;
  /** Whoever changes a plan does it alone. */
  private final Mutex changes;

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
    this.loop = new PlanLoop(plans, steps, moves, changes, scheduler);
  }

  /** Carries plans out, until it is interrupted. */
  public void follow() throws InterruptedException {
    loop.follow();
  }

  /** Once. */
  void look() throws InterruptedException {
    loop.look();
  }

  /**
   * Has all VMs of a host leave it. Asked again, it goes on, and what failed is tried once more.
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
      steps.preview(plan, promised(name));
      if (dryRun) {
        return shown(plan.setState(MovePlan.State.DRY_RUN).clearId().build());
      }
      requirePlaces(plan, name);
      ledger.requireChangeable();
      return begun(plan);
    });
  }

  private static void requirePlaces(MovePlan.Builder plan, String name) throws RequestException {
    List<PlannedMove> nowhere = plan.getMovesList().stream()
        .filter(each -> each.getState() == State.WAITING && each.getTo().isEmpty()).toList();
    if (!nowhere.isEmpty()) {
      throw new RequestException(Kind.REFUSED, "host %s cannot be drained, and nothing was changed: %s%s", name,
          nowhere.stream().limit(NAMED).map(each -> "VM %s: %s".formatted(each.getVm(), each.getReason()))
              .collect(Collectors.joining("; ")),
          nowhere.size() > NAMED ? "; and %d more VMs".formatted(nowhere.size() - NAMED) : "");
    }
  }

  /** Memory that moves of other plans are going to use. */
  private Map<String, Long> promised(String exceptHost) {
    Map<String, Long> bytes = new HashMap<>();
    for (MovePlan each : plans.list()) {
      if (each.getState() == MovePlan.State.RUNNING && !each.getHost().equals(exceptHost)) {
        each.getMovesList().stream().filter(move -> move.getState() == State.WAITING && !move.getTo().isEmpty())
            .forEach(move -> bytes.merge(move.getTo(), move.getMemoryBytes(), Math::addExact));
      }
    }
    return bytes;
  }

  /** Whether a drain does already what is asked for. */
  private static boolean isTheSame(MovePlan before, boolean quick) {
    return before.getKind() == MovePlan.Kind.DRAIN && before.getState() != MovePlan.State.FAILED
        && before.getQuick() == quick
        && before.getMovesList().stream().noneMatch(each -> each.getState() == State.FAILED);
  }

  private MovePlan begun(MovePlan.Builder plan) {
    rest(plan.getMovesList(), forecasts()).ifPresent(plan::setForecast);
    plan.setState(MovePlan.State.RUNNING);
    plans.put(plan.build());
    log.info("plan={} {} {} begun: {} VMs", plan.getId(), plan.getKind(), plan.getHost(), plan.getMovesCount());
    loop.lookNow(plan.getId());
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
          "host %s is DOWN: no heartbeat, and VM %s may still run there; wait until it is UP, or see 'ferry ha status'; if it is off: 'ferry host confirm-dead %s'",
          host.id(), vms.getFirst(), host.id());
    }
  }

  /**
   * What the plan before has moved, or is moving, stays known, so that it can be brought back. A drain that goes on is the same plan, so that
   * who follows it need not know.
   */
  private void takeOver(MovePlan before, MovePlan.Builder plan) {
    MovePlan.Builder known = before.toBuilder();
    moves.refresh(known);
    boolean isDrain = before.getKind() == MovePlan.Kind.DRAIN;
    if (isDrain) {
      plan.setId(before.getId());
    }
    for (PlannedMove.Builder each : known.getMovesBuilderList()) {
      boolean isComing = !isDrain && each.getTo().equals(plan.getHost())
          && (each.getState() == State.WAITING || each.getState() == State.FAILED);
      if (isComing) {
        String there = each.getFrom();
        PlanSteps.waitAnew(each, plan.getHost(), there, false);
        each.setState(State.MOVED);
      } else if (isDrain && !each.getDown()
          && (each.getState() == State.FAILED || each.getState() == State.WAITING)) {
        PlanSteps.waitAnew(each, plan.getHost(), "", plan.getQuick());
      }
      boolean isOfUse = isDrain || isComing || each.getState() == State.MOVING || each.getState() == State.IN_DOUBT;
      if (isOfUse && each.getState() != State.LEFT_OUT) {
        plan.addMoves(each);
      }
    }
  }

  /**
   * Lets VMs come to a host again.
   *
   * @param failBack whether those that left it are brought back; what failed of that is tried once more
   * @throws RequestException if there is no such host
   */
  public MovePlan activate(String name, boolean failBack) throws RequestException, InterruptedException {
    return changes.<MovePlan, RequestException>alone(() -> {
      Host host = RequestedHost.find(inventory, name);
      inventory.stops().forgive(host.id());
      Optional<MovePlan> before = plans.of(host.id());
      boolean isBack = before.filter(each -> each.getKind() == MovePlan.Kind.FAIL_BACK
          && (each.getState() == MovePlan.State.COMPLETED
              || each.getState() == MovePlan.State.RUNNING && failBack && !each.getNoFailBack()))
          .isPresent();
      if (isBack) {
        return shown(before.get());
      }
      MovePlan.Builder plan = newPlan(MovePlan.Kind.FAIL_BACK, name).setNoFailBack(!failBack);
      before.ifPresent(each -> bringBack(each, plan));
      return begun(plan);
    });
  }

  private void bringBack(MovePlan before, MovePlan.Builder plan) {
    MovePlan.Builder known = before.toBuilder();
    moves.refresh(known);
    plan.setQuick(before.getQuick());
    boolean isDrain = before.getKind() == MovePlan.Kind.DRAIN;
    for (PlannedMove.Builder each : known.getMovesBuilderList()) {
      if (each.getState() == State.MOVING || each.getState() == State.IN_DOUBT) {
        plan.addMoves(each);
      } else if (!plan.getNoFailBack() && each.getState() == State.MOVED && each.getFrom().equals(plan.getHost())) {
        String there = each.getTo();
        PlanSteps.waitAnew(each, there, plan.getHost(), plan.getQuick());
        plan.addMoves(each);
      } else if (!plan.getNoFailBack() && !isDrain && each.getState() == State.FAILED && !each.getDown()) {
        PlanSteps.waitAnew(each, each.getFrom(), plan.getHost(), plan.getQuick());
        plan.addMoves(each);
      }
    }
  }

  /**
   * Begins nothing more of a plan; what is under way goes on.
   *
   * @throws RequestException if it has ended, or is a drain
   */
  public MovePlan cancel(String id) throws RequestException, InterruptedException {
    return changes.<MovePlan, RequestException>alone(() -> {
      MovePlan plan = find(id);
      if (plan.getKind() == MovePlan.Kind.DRAIN) {
        throw new RequestException(Kind.REFUSED, "plan %s is the drain of host %s; 'ferry host activate %s' ends it",
            plan.getId(), plan.getHost(), plan.getHost());
      }
      if (plan.getState() != MovePlan.State.RUNNING) {
        throw new RequestException(Kind.REFUSED, "plan %s has ended (%s)", plan.getId(), plan.getState());
      }
      MovePlan.Builder next = plan.toBuilder().setNoFailBack(true).setCancelled(true);
      next.getMovesBuilderList().stream().filter(each -> each.getState() == State.WAITING)
          .forEach(each -> each.setState(State.FAILED).setReason("the plan was cancelled"));
      plans.put(next.build());
      loop.lookNow(plan.getId());
      return shown(next.build());
    });
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
        throw new RequestException(Kind.REFUSED,
            "memory is being evened out already (plan %s); wait for its end, or end it by 'ferry plan cancel %s'",
            before.get().getId(), before.get().getId());
      }
      MovePlan.Builder plan = newPlan(MovePlan.Kind.REBALANCE, "");
      Map<String, Row> rows = ledger.list().stream()
          .collect(Collectors.toMap(each -> each.record().getSpec().getName(), each -> each, (a, _) -> a));
      for (Shift each : evacuation.shifts()) {
        Row row = rows.get(each.vm().name());
        if (row != null && VmPlace.of(inventory, row) instanceof VmPlace.On) {
          plan.addMoves(move(each, row).toBuilder().setFallback(steps.fallback(plan, each.vm().host(), each.to())));
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

  /** The plan whose id begins so. */
  public MovePlan plan(String id) throws RequestException {
    return shown(find(id));
  }

  private MovePlan find(String id) throws RequestException {
    List<MovePlan> matching = plans.list().stream().filter(each -> !id.isEmpty() && each.getId().startsWith(id))
        .toList();
    if (matching.size() != 1) {
      throw new RequestException(matching.isEmpty() ? Kind.NOT_FOUND : Kind.INVALID,
          matching.isEmpty() ? "plan '%s' is not known; another may have taken its place" : "plan '%s' is ambiguous",
          id);
    }
    return matching.getFirst();
  }

  /** The last one of each host, and the last one for all; the newest first. */
  public List<MovePlan> list() {
    MoveForecast forecast = forecasts();
    return plans.list().stream().map(each -> shown(each, forecast)).toList();
  }

  /** How many moves of all plans are in that state. */
  public long count(State state) {
    return plans.list().stream().flatMap(each -> each.getMovesList().stream())
        .filter(each -> each.getState() == state).count();
  }

  /** With how long it takes from now on. */
  private MovePlan shown(MovePlan plan) {
    return shown(plan, forecasts());
  }

  private MovePlan shown(MovePlan plan, MoveForecast forecast) {
    MovePlan.Builder shown = plan.toBuilder();
    shown.getMovesBuilderList().stream()
        .filter(each -> each.getState() == State.WAITING || each.getState() == State.MOVING)
        .forEach(each -> each.setSeconds(forecast.secondsOf(each.build())));
    rest(plan.getMovesList(), forecast).ifPresent(shown::setRest);
    return shown.build();
  }

  private Optional<Forecast> rest(List<PlannedMove> ofPlan, MoveForecast forecast) {
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
    return forecast.rest(ofPlan, atOnce, underWay);
  }

  private MoveForecast forecasts() {
    return new MoveForecast(migrations.list(), ledger.list().stream().map(Row::record).collect(
        Collectors.toMap(each -> each.getSpec().getName(), each -> each.getSpec().getMemoryBytes(), (a, _) -> a)));
  }
}
