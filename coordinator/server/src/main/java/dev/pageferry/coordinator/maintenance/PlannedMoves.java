package dev.pageferry.coordinator.maintenance;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.plans.MovePlans;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.MigrateQuickRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import dev.pageferry.proto.cluster.v1.PlannedMove.State;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The migrations of plans: begun, followed, tried again. What a migration is asked for under follows from its plan, its VM and how many were
 * asked for before, and is in the records ahead of it: a coordinator that starts asks again, and finds it.
 */
final class PlannedMoves {
  private static final Logger log = LoggerFactory.getLogger(PlannedMoves.class);
  static final int MOST_ATTEMPTS = 4;
  /** After so many live attempts that failed, a VM is moved through a file where that is possible. */
  private static final int LIVE_ATTEMPTS = 2;
  /** After a refusal: nothing was tried. */
  private static final Duration SHORT_WAIT = Duration.ofSeconds(1);

  private final MigrationSupervisor migrations;
  private final MovePlans plans;
  private final Scheduler scheduler;
  /** On the scheduler's clock, by plan and VM. */
  private final Map<MoveKey, Long> notBefore = new ConcurrentHashMap<>();

  PlannedMoves(MigrationSupervisor migrations, MovePlans plans, Scheduler scheduler) {
    this.migrations = migrations;
    this.plans = plans;
    this.scheduler = scheduler;
  }

  /** Brings those that are under way up to date; asks for the migration of one of which it is not known whether it was asked for. */
  void refresh(MovePlan.Builder plan) {
    for (PlannedMove.Builder move : plan.getMovesBuilderList()) {
      if (move.getState() == State.MOVING || move.getState() == State.IN_DOUBT) {
        migrationOf(plan, move).ifPresent(migration -> heard(plan, move, migration));
      }
    }
  }

  private void heard(MovePlan.Builder plan, PlannedMove.Builder move, Migration migration) {
    switch (migration.getState()) {
      case COMPLETED -> {
        move.setState(State.MOVED).setSeconds(migration.getTotalSeconds()).clearReason();
        if (migration.hasBlackoutSeconds()) {
          move.setBlackoutSeconds(migration.getBlackoutSeconds());
        }
        log.info("plan={} vm={} {} -> {} moved", plan.getId(), move.getVm(), move.getFrom(), move.getTo());
      }
      case FAILED -> {
        String code = migration.getFailure().getCode();
        boolean isHopeless = code.equals(FailureCode.STALLED.name()) || code.equals(FailureCode.TIMED_OUT.name());
        failed(plan, move, "%s: %s".formatted(code, migration.getFailure().getMessage()), isHopeless);
      }
      case CANCELLED -> move.setState(State.FAILED).setReason("its migration was cancelled, and is not tried again");
      case IN_DOUBT -> {
        if (MigrationSupervisor.isSettledForNow(migration)) {
          move.setState(State.IN_DOUBT)
              .setReason("whether it was moved is not known yet: " + migration.getFailure().getMessage());
        }
      }
      case QUEUED, RUNNING, STATE_UNSPECIFIED, UNRECOGNIZED -> {
        // It goes on.
      }
    }
  }

  /** Empty: there is none after all. */
  private Optional<Migration> migrationOf(MovePlan.Builder plan, PlannedMove.Builder move) {
    if (move.getMigrationId().isEmpty()) {
      // The coordinator ended before it knew of it, or before there was one.
      return ask(plan, move);
    }
    try {
      return Optional.of(migrations.show(move.getMigrationId()));
    } catch (RequestException e) {
      failed(plan, move, e.getMessage(), false);
      return Optional.empty();
    }
  }

  /** Whether it may be tried now. */
  boolean isDue(MovePlan.Builder plan, PlannedMove.Builder move) {
    Long until = notBefore.get(MoveKey.of(plan, move));
    return until == null || scheduler.nanos() - until >= 0;
  }

  /**
   * Begins the migration of a move that waits.
   *
   * @return whether there is one; it was refused otherwise, and waits
   */
  boolean begin(MovePlan.Builder plan, PlannedMove.Builder move) {
    move.setState(State.MOVING).setAsked(move.getAsked() + 1).clearMigrationId();
    plans.put(plan.build());
    return ask(plan, move).isPresent();
  }

  private Optional<Migration> ask(MovePlan.Builder plan, PlannedMove.Builder move) {
    String id = "%s/%s/%d".formatted(plan.getId(), move.getVmId(), move.getAsked());
    try {
      Migration migration = move.getQuick()
          ? migrations.start(
              MigrateQuickRequest.newBuilder().setName(move.getVm()).setTo(move.getTo()).setRequestId(id).build())
          : migrations.start(
              MigrateLiveRequest.newBuilder().setName(move.getVm()).setTo(move.getTo()).setRequestId(id).build());
      move.setMigrationId(migration.getId()).setAttempts(move.getAttempts() + 1);
      return Optional.of(migration);
    } catch (RequestException e) {
      log.info("plan={} vm={} {} -> {} is not begun now: {}", plan.getId(), move.getVm(), move.getFrom(), move.getTo(),
          e.getMessage());
      move.setState(State.WAITING).setReason(e.getMessage());
      notBefore.put(MoveKey.of(plan, move), scheduler.nanos() + SHORT_WAIT.toNanos());
      return Optional.empty();
    }
  }

  private void failed(MovePlan.Builder plan, PlannedMove.Builder move, String why, boolean isHopeless) {
    log.warn("plan={} vm={} {} -> {} not moved (attempt {} of {}): {}", plan.getId(), move.getVm(), move.getFrom(),
        move.getTo(), move.getAttempts(), MOST_ATTEMPTS, why);
    move.setState(move.getAttempts() >= MOST_ATTEMPTS ? State.FAILED : State.WAITING).setReason(why);
    if (!move.getFallback().isEmpty() && (isHopeless || move.getAttempts() >= LIVE_ATTEMPTS)) {
      move.setQuick(true);
    }
    notBefore.put(MoveKey.of(plan, move),
        scheduler.nanos() + Duration.ofSeconds(1L << Math.min(move.getAttempts(), MOST_ATTEMPTS)).toNanos());
  }

  /** Forgets what was noted for other plans than these. */
  void retain(Set<String> plansThatAre) {
    notBefore.keySet().removeIf(each -> !plansThatAre.contains(each.plan()));
  }
}
