package dev.pageferry.coordinator.maintenance;

import dev.pageferry.common.concurrent.Mutex;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.plans.MovePlans;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import dev.pageferry.proto.cluster.v1.PlannedMove.State;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Looks at all plans again and again, one after the other. */
final class PlanLoop {
  private static final Logger log = LoggerFactory.getLogger(PlanLoop.class);
  private static final Duration WHILE_RUNNING = Duration.ofMillis(100);
  private static final Duration IDLE = Duration.ofSeconds(1);

  private final MovePlans plans;
  private final PlanSteps steps;
  private final PlannedMoves moves;
  private final Mutex changes;
  private final Scheduler scheduler;
  private final Signal asked;
  private final AtomicBoolean isAsked = new AtomicBoolean();
  /** When rows were read for a plan, by its id, on the scheduler's clock. */
  private final Map<String, Long> lookedAt = new ConcurrentHashMap<>();
  /** What went wrong when a plan was looked at last, by its id. */
  private final Map<String, String> troubles = new ConcurrentHashMap<>();

  /** @param changes whoever changes a plan does it alone */
  PlanLoop(MovePlans plans, PlanSteps steps, PlannedMoves moves, Mutex changes, Scheduler scheduler) {
    this.plans = plans;
    this.steps = steps;
    this.moves = moves;
    this.changes = changes;
    this.scheduler = scheduler;
    this.asked = scheduler.newSignal();
  }

  /** An operator has changed a plan. */
  void lookNow(String plan) {
    lookedAt.remove(plan);
    isAsked.set(true);
    asked.raise();
  }

  /** Carries plans out, until it is interrupted. */
  void follow() throws InterruptedException {
    while (true) {
      boolean isRunning = plans.list().stream().anyMatch(each -> each.getState() == MovePlan.State.RUNNING);
      asked.await(() -> isAsked.getAndSet(false), isRunning ? WHILE_RUNNING : IDLE);
      look();
    }
  }

  /** Once. */
  void look() throws InterruptedException {
    List<MovePlan> all = plans.list();
    Set<String> ids = all.stream().map(MovePlan::getId).collect(Collectors.toSet());
    steps.retain(ids);
    lookedAt.keySet().retainAll(ids);
    troubles.keySet().retainAll(ids);
    for (MovePlan each : all) {
      try {
        changes.alone(() -> {
          step(each);
          return true;
        });
        troubles.remove(each.getId());
      } catch (RuntimeException | Error e) {
        // The others go on all the same, and this one next time.
        if (!String.valueOf(e.getMessage()).equals(troubles.put(each.getId(), String.valueOf(e.getMessage())))) {
          log.error("plan={} is not carried on", each.getId(), e);
        }
        lookedAt.put(each.getId(), scheduler.nanos());
      }
    }
  }

  private void step(MovePlan seen) throws InterruptedException {
    Optional<MovePlan> now = current(seen);
    if (now.isEmpty() || isAtRest(now.get())) {
      return;
    }
    Long looked = lookedAt.get(seen.getId());
    boolean isLate = looked == null || scheduler.nanos() - looked >= IDLE.toNanos();
    if (!isLate && troubles.containsKey(seen.getId())) {
      return;
    }
    MovePlan.Builder next = now.get().toBuilder();
    moves.refresh(next);
    boolean hasChanged = !next.build().equals(now.get());
    if (!isLate && !hasChanged) {
      // Rows need not be read again just now.
      return;
    }
    steps.take(next, hasChanged);
    plans.put(next.build());
    lookedAt.put(next.getId(), scheduler.nanos());
    arrivedElsewhere(now.get(), next.build());
    if (next.getState() != now.get().getState()) {
      log.info("plan={} {} {} is {} {}", next.getId(), next.getKind(), next.getHost(), next.getState(),
          next.getReason());
    }
  }

  /** Where this drain moved on a VM that an earlier drain had put here, the earlier plan is told, so that its fail-back finds the VM. */
  private void arrivedElsewhere(MovePlan before, MovePlan after) {
    Map<String, PlannedMove> moved = new HashMap<>();
    if (after.getKind() == MovePlan.Kind.DRAIN) {
      // What a fail-back brought is at home.
      after.getMovesList().stream().filter(each -> each.getState() == State.MOVED
          && !before.getMovesList().contains(each)).forEach(each -> moved.put(each.getVmId(), each));
    }
    for (MovePlan each : moved.isEmpty() ? List.<MovePlan>of() : plans.list()) {
      if (each.getKind() == MovePlan.Kind.DRAIN && !each.getId().equals(after.getId())) {
        MovePlan.Builder other = each.toBuilder();
        for (PlannedMove.Builder move : other.getMovesBuilderList()) {
          PlannedMove next = moved.get(move.getVmId());
          if (next != null && move.getState() == State.MOVED && move.getTo().equals(next.getFrom())) {
            move.setTo(next.getTo());
          }
        }
        plans.put(other.build());
      }
    }
  }

  /** An operator may have put another one in its place. */
  private Optional<MovePlan> current(MovePlan seen) {
    return (seen.getHost().isEmpty() ? plans.ofAll() : plans.of(new HostId(seen.getHost())))
        .filter(each -> each.getId().equals(seen.getId()));
  }

  /** A drain goes on for as long as the host is not activated. */
  private static boolean isAtRest(MovePlan plan) {
    return plan.getKind() != MovePlan.Kind.DRAIN && plan.getState() != MovePlan.State.RUNNING
        && plan.getMovesList().stream().noneMatch(each -> each.getState() == State.IN_DOUBT);
  }
}
