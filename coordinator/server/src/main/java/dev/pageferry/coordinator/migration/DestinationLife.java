package dev.pageferry.coordinator.migration;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.agent.v1.VmStatus;
import java.util.Optional;

/**
 * What has become of the destination of a move that was committed, and of the VM that is its own by then.
 *
 * @param incarnation that the move was begun with
 */
record DestinationLife(HostInventory inventory, OwnershipLedger ledger, HostId host, Incarnation incarnation, VmId vm) {
  /**
   * Its agent ended, and the one that followed it, if there is one, has not taken the VM over; or the VM was booted anew since, elsewhere or
   * there: only who boots says Started.
   */
  boolean hasLostTheVm() {
    boolean isCurrent = inventory.isCurrent(host, incarnation);
    boolean isRestarted = inventory.isLost(host, incarnation) && ledger.find(vm).map(Row::record)
        .filter(row -> !row.getOwnerHost().equals(host.value())
            || !isCurrent && row.getStartedEpoch() == row.getEpoch())
        .isPresent();
    if (isRestarted || isCurrent) {
      return isRestarted;
    }
    Optional<Host> next = inventory.find(host).filter(each -> !each.isConfirmedDead());
    return next.isEmpty() || next.get().hasReported() && !next.get().coming().contains(vm)
        && Optional.ofNullable(next.get().vms().get(vm))
            .filter(there -> there.getState() != VmStatus.State.FAILED).isEmpty();
  }

  /** Nobody knows whether the VM runs there. */
  boolean isSilent() {
    return inventory.isCurrent(host, incarnation)
        ? inventory.isLost(host, incarnation)
        : inventory.find(host).filter(Host::isUp).isEmpty();
  }
}
