package dev.pageferry.coordinator.maintenance;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.cluster.v1.PlannedMoveOrBuilder;
import java.util.Comparator;
import java.util.Map;

/** How much VMs write. */
final class Heat {
  /** A guest program whose steps write nothing. */
  private static final String IDLE = "idle";

  private Heat() {
  }

  /**
   * The coldest first: by steps a second, each of which writes into a page, if the guest is not idle; then the smaller, then by name. Of
   * machines of QEMU no steps are known.
   *
   * @param rows of VMs, by id
   */
  static Comparator<PlannedMoveOrBuilder> order(HostInventory inventory, Map<String, Row> rows) {
    return Comparator.<PlannedMoveOrBuilder>comparingDouble(each -> stepsPerSecond(inventory, rows, each))
        .thenComparing(PlannedMoveOrBuilder::getMemoryBytes).thenComparing(PlannedMoveOrBuilder::getVm);
  }

  private static double stepsPerSecond(HostInventory inventory, Map<String, Row> rows, PlannedMoveOrBuilder move) {
    Row row = rows.get(move.getVmId());
    return row == null || row.record().getSpec().getProgram().equals(IDLE)
        ? 0
        : inventory.stepsPerSecond(new HostId(move.getFrom()), new VmId(move.getVmId()));
  }
}
