package dev.pageferry.coordinator.events;

import dev.pageferry.common.units.Durations;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.plans.MovePlans;
import dev.pageferry.proto.cluster.v1.Event;
import dev.pageferry.proto.cluster.v1.Event.Kind;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** What becomes of migrations and plans. */
final class WorkStory {
  private final MigrationSupervisor migrations;
  private final MovePlans plans;
  private Map<String, Migration.State> migrationsBefore = new HashMap<>();
  private Map<String, MovePlan.State> plansBefore = new HashMap<>();

  WorkStory(MigrationSupervisor migrations, MovePlans plans) {
    this.migrations = migrations;
    this.plans = plans;
    List<Event.Builder> _ = look();
  }

  List<Event.Builder> look() {
    List<Event.Builder> seen = new ArrayList<>();
    Map<String, Migration.State> migrationsNow = new HashMap<>();
    for (Migration each : migrations.list()) {
      migrationsNow.put(each.getId(), each.getState());
      Migration.State was = migrationsBefore.get(each.getId());
      if (was == null) {
        seen.add(
            of(each, Kind.MIGRATION_BEGUN, "VM %s is being moved %s from host %s to host %s".formatted(each.getVm(),
                each.getKind().toString().toLowerCase(Locale.ROOT), each.getSource(), each.getDestination())));
      }
      if (was != each.getState()) {
        end(each).ifPresent(seen::add);
      }
    }
    migrationsBefore = migrationsNow;
    Map<String, MovePlan.State> plansNow = new HashMap<>();
    for (MovePlan each : plans.list()) {
      plansNow.put(each.getId(), each.getState());
      MovePlan.State was = plansBefore.get(each.getId());
      if (was == null) {
        seen.add(of(each, Kind.PLAN_BEGUN, "%s has begun: %d VMs".formatted(what(each), each.getMovesCount())));
      }
      if (was != each.getState()) {
        end(each).ifPresent(seen::add);
      }
    }
    plansBefore = plansNow;
    return seen;
  }

  private static Optional<Event.Builder> end(Migration migration) {
    String vm = migration.getVm();
    String why = "%s: %s".formatted(migration.getFailure().getCode(), migration.getFailure().getMessage());
    return switch (migration.getState()) {
      case COMPLETED -> Optional.of(of(migration, Kind.MIGRATION_COMPLETED,
          "VM %s was moved from host %s to host %s in %s%s".formatted(vm, migration.getSource(),
              migration.getDestination(), Durations.format(migration.getTotalSeconds()),
              migration.hasBlackoutSeconds()
                  ? ", paused for " + Durations.format(migration.getBlackoutSeconds())
                  : "")));
      case FAILED -> Optional.of(of(migration, Kind.MIGRATION_FAILED, "VM %s was not moved: %s".formatted(vm, why)));
      case CANCELLED -> Optional.of(of(migration, Kind.MIGRATION_CANCELLED,
          "VM %s stays on host %s: its migration was cancelled".formatted(vm, migration.getSource())));
      case IN_DOUBT -> migration.hasFailure()
          ? Optional.of(of(migration, Kind.MIGRATION_IN_DOUBT,
              "whether VM %s was moved is not known yet: %s".formatted(vm, why)))
          : Optional.empty();
      case QUEUED, RUNNING, STATE_UNSPECIFIED, UNRECOGNIZED -> Optional.empty();
    };
  }

  private static Optional<Event.Builder> end(MovePlan plan) {
    long moved = plan.getMovesList().stream().filter(each -> each.getState() == PlannedMove.State.MOVED).count();
    return switch (plan.getState()) {
      case COMPLETED -> Optional.of(of(plan, Kind.PLAN_COMPLETED,
          "%s has ended: %d VMs were moved".formatted(what(plan), moved)));
      case FAILED -> Optional.of(of(plan, Kind.PLAN_FAILED, "%s failed: %s".formatted(what(plan), plan.getReason())));
      case CANCELLED -> Optional.of(of(plan, Kind.PLAN_CANCELLED, "%s: %s".formatted(what(plan), plan.getReason())));
      case RUNNING, DRY_RUN, STATE_UNSPECIFIED, UNRECOGNIZED -> Optional.empty();
    };
  }

  private static String what(MovePlan plan) {
    return switch (plan.getKind()) {
      case DRAIN -> "the drain of host " + plan.getHost();
      case FAIL_BACK -> "the return of VMs to host " + plan.getHost();
      case REBALANCE, KIND_UNSPECIFIED, UNRECOGNIZED -> "rebalancing";
    };
  }

  private static Event.Builder of(Migration migration, Kind kind, String text) {
    return Event.newBuilder().setKind(kind).setVm(migration.getVm()).setHost(migration.getDestination())
        .setFromHost(migration.getSource())
        .setMigrationId(migration.getId()).setText(text);
  }

  private static Event.Builder of(MovePlan plan, Kind kind, String text) {
    return Event.newBuilder().setKind(kind).setHost(plan.getHost()).setPlanId(plan.getId()).setText(text);
  }
}
