package dev.pageferry.coordinator.maintenance;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.proto.cluster.v1.PlannedMoveOrBuilder;
import java.util.Comparator;

/** How much VMs write. */
final class Heat {
  /** A guest program whose steps write nothing. */
  private static final String IDLE = "idle";

  private Heat() {
  }

  /**
   * The coldest first: by steps a second, each of which writes into a page, if the guest is not idle; then the smaller, then by name. Of
   * machines of QEMU no steps are known.
   */
  static Comparator<PlannedMoveOrBuilder> order(HostInventory inventory) {
    return Comparator.<PlannedMoveOrBuilder>comparingDouble(each -> stepsPerSecond(inventory, each))
        .thenComparing(PlannedMoveOrBuilder::getMemoryBytes).thenComparing(PlannedMoveOrBuilder::getVm);
  }

  private static double stepsPerSecond(HostInventory inventory, PlannedMoveOrBuilder move) {
    HostId host = new HostId(move.getFrom());
    VmId vm = new VmId(move.getVmId());
    boolean isIdle = inventory.lastTold(host, vm).filter(each -> each.getSpec().getProgram().equals(IDLE))
        .isPresent();
    return isIdle ? 0 : inventory.stepsPerSecond(host, vm);
  }
}
