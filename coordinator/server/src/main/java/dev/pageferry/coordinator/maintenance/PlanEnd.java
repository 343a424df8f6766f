package dev.pageferry.coordinator.maintenance;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.plans.MovePlans;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import dev.pageferry.proto.cluster.v1.PlannedMove.State;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Whether a plan has ended, and how. */
final class PlanEnd {
  private final HostInventory inventory;
  private final Stuck stuck;
  private final Scheduler scheduler;

  PlanEnd(HostInventory inventory, Stuck stuck, Scheduler scheduler) {
    this.inventory = inventory;
    this.stuck = stuck;
    this.scheduler = scheduler;
  }

  void conclude(MovePlan.Builder plan, Map<String, Row> rows) {
    if (count(plan, State.WAITING) + count(plan, State.MOVING) > 0) {
      go(plan, reasonOfFirst(plan, State.WAITING).filter(_ -> count(plan, State.MOVING) == 0).orElse(""));
      return;
    }
    long failed = count(plan, State.FAILED);
    if (plan.getCancelled() && count(plan, State.IN_DOUBT) == 0) {
      end(plan, MovePlan.State.CANCELLED, "it was cancelled, with %d of %d VMs not moved".formatted(failed,
          plan.getMovesCount()));
    } else if (failed > 0) {
      end(plan, MovePlan.State.FAILED, "%d of %d VMs could not be moved".formatted(failed, plan.getMovesCount()));
    } else if (count(plan, State.IN_DOUBT) > 0) {
      end(plan, MovePlan.State.FAILED, reasonOfFirst(plan, State.IN_DOUBT).orElse(""));
    } else {
      Optional<String> left = plan.getKind() == MovePlan.Kind.DRAIN ? left(plan, rows) : Optional.empty();
      left.ifPresentOrElse(why -> await(plan, why), () -> {
        stuck.clear(MoveKey.of(plan));
        end(plan, MovePlan.State.COMPLETED, "");
      });
    }
  }

  private static long count(MovePlan.Builder plan, State state) {
    return plan.getMovesList().stream().filter(each -> each.getState() == state).count();
  }

  private static Optional<String> reasonOfFirst(MovePlan.Builder plan, State state) {
    return plan.getMovesList().stream().filter(each -> each.getState() == state && !each.getReason().isEmpty())
        .findFirst().map(PlanEnd::because);
  }

  private static String because(PlannedMove move) {
    return "VM %s: %s".formatted(move.getVm(), move.getReason());
  }

  private void await(MovePlan.Builder plan, String why) {
    if (plan.getState() == MovePlan.State.FAILED || stuck.isForTooLong(MoveKey.of(plan))) {
      end(plan, MovePlan.State.FAILED, why);
    } else {
      go(plan, why);
    }
  }

  /** Why the host does not count as empty, apart from the plan's own moves. */
  private Optional<String> left(MovePlan.Builder plan, Map<String, Row> rows) {
    String name = plan.getHost();
    Optional<String> row = rows.values().stream()
        .filter(each -> VmPlace.concerns(each, VmPlace.of(inventory, each), name))
        .map(each -> "VM %s: %s".formatted(each.record().getSpec().getName(),
            VmPlace.of(inventory, each) instanceof VmPlace.Busy(String _, String reason) ? reason : "it is there"))
        .sorted().findFirst();
    // A host that was found empty, and was switched off since, is still empty.
    return row.or(() -> plan.getState() == MovePlan.State.COMPLETED ? heldIfHeard(name) : held(name));
  }

  private Optional<String> heldIfHeard(String name) {
    return inventory.find(new HostId(name)).filter(each -> each.isUp() && each.hasReported()).flatMap(PlanEnd::copies);
  }

  private Optional<String> held(String name) {
    Optional<Host> host = inventory.find(new HostId(name)).filter(each -> !each.isConfirmedDead());
    return host.isPresent() && !(host.get().isUp() && host.get().hasReported())
        ? Optional.of("host %s is not heard: what it has in its memory is not known".formatted(name))
        : host.flatMap(PlanEnd::copies);
  }

  /** What a host tells of itself: copies that are gone by the rows are gone in its memory a moment later. What has ended does not count. */
  private static Optional<String> copies(Host host) {
    List<String> copies = host.vms().entrySet().stream()
        .filter(each -> each.getValue().getState() != VmStatus.State.FAILED
            && each.getValue().getState() != VmStatus.State.POWERED_OFF)
        .map(each -> each.getValue().getSpec().getName()).toList();
    if (!copies.isEmpty()) {
      return Optional.of("host %s still has VM %s in its memory".formatted(host.id(), String.join(", ", copies)));
    }
    Optional<String> coming = host.coming().stream().map(VmId::value).findFirst()
        .map(each -> "host %s is still receiving VM %s".formatted(host.id(), each));
    return coming.or(() -> host.doubts().stream().findFirst()
        .map(each -> "host %s has a paused copy whose owner it does not know: %s".formatted(host.id(), each)));
  }

  private static void go(MovePlan.Builder plan, String reason) {
    plan.setState(MovePlan.State.RUNNING).setReason(reason).clearEndedAt();
  }

  private void end(MovePlan.Builder plan, MovePlan.State state, String reason) {
    if (plan.getState() != state) {
      plan.setState(state).setEndedAt(MovePlans.timestamp(scheduler.wallMillis()));
    }
    plan.setReason(reason);
  }
}
