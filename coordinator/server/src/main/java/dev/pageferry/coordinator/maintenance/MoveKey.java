package dev.pageferry.coordinator.maintenance;

import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;

/**
 * One move of one plan.
 *
 * @param vm its id; empty: the plan itself
 */
record MoveKey(String plan, String vm) {
  static MoveKey of(MovePlan.Builder plan, PlannedMove.Builder move) {
    return new MoveKey(plan.getId(), move.getVmId());
  }

  static MoveKey of(MovePlan.Builder plan) {
    return new MoveKey(plan.getId(), "");
  }
}
