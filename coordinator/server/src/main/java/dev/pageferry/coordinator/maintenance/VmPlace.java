package dev.pageferry.coordinator.maintenance;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.records.v1.VmRecord;

/** Where a VM is, as far as moving it goes. */
sealed interface VmPlace {
  /** In the memory of a host; it may be moved. */
  record On(String host) implements VmPlace {
  }

  /** Something is under way with it, on that host. */
  record Busy(String host, String reason) implements VmPlace {
  }

  /**
   * In no host's memory.
   *
   * @param isLost whether its host lost it, which nobody asked for
   * @param isSaved whether its state is in a file
   */
  record Nowhere(String reason, boolean isLost, boolean isSaved) implements VmPlace {
  }

  /** As rows and heartbeats have it. */
  static VmPlace of(HostInventory inventory, Row row) {
    VmRecord record = row.record();
    String owner = record.getOwnerHost();
    return switch (record.getPhase()) {
      case CREATING -> new Busy(owner, "it is being started");
      case ACTIVE -> active(inventory, row, owner);
      case SAVED -> record.hasPending()
          ? new Busy(record.getPending().getDestinationHost(), "it is being restored")
          : new Nowhere("it is SAVED", false, true);
      case STOPPED, PHASE_UNSPECIFIED, UNRECOGNIZED -> new Nowhere("it is STOPPED", false, false);
    };
  }

  private static VmPlace active(HostInventory inventory, Row row, String owner) {
    HostId host = new HostId(owner);
    if (!inventory.isCurrent(host, new Incarnation(row.record().getOwnerIncarnation()))) {
      return new Nowhere("host %s lost it".formatted(owner), true, false);
    }
    if (row.record().hasPending()) {
      return new Busy(owner, "it is being moved or saved");
    }
    boolean hasEnded = inventory.lastTold(host, row.id())
        .filter(each -> each.getEpoch() == row.record().getEpoch()
            && (each.getState() == VmStatus.State.FAILED || each.getState() == VmStatus.State.POWERED_OFF))
        .isPresent();
    return hasEnded ? new Nowhere("it has ended", false, false) : new On(owner);
  }

  /** Whether it is on that host, or is coming to it. */
  static boolean concerns(Row row, VmPlace place, String host) {
    boolean isThere = switch (place) {
      case On(String there) -> there.equals(host);
      case Busy(String there, String _) -> there.equals(host);
      case Nowhere _ -> false;
    };
    return isThere || row.record().hasPending() && row.record().getPending().getDestinationHost().equals(host);
  }
}
