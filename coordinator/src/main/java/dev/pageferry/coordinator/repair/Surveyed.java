package dev.pageferry.coordinator.repair;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * All that is known of where VMs are.
 *
 * @param rows what the records say
 * @param copies what hosts that are up say
 * @param leases the latest epoch under which a disk of the VM was opened, as its lease on the storage says
 * @param deleted VMs that have no row because they were deleted, of those that hosts report
 * @param names of VMs by their rows
 */
record Surveyed(Map<VmId, VmRecord> rows, Map<VmId, List<Copy>> copies, Map<VmId, Long> leases, Set<VmId> deleted,
    Map<String, VmId> names) {
  /**
   * A copy of a VM on a host.
   *
   * @param name the VM's
   * @param hasDisks whether the VM has any
   */
  record Copy(HostId host, Incarnation incarnation, String storage, long epoch, String name, boolean hasDisks) {
    boolean isOfRow(VmRecord row) {
      return row.getPhase() == VmRecord.Phase.ACTIVE && row.getOwnerHost().equals(host.value())
          && row.getOwnerIncarnation().equals(incarnation.value()) && row.getEpoch() == epoch;
    }
  }

  Optional<VmRecord> row(VmId vm) {
    return Optional.ofNullable(rows.get(vm));
  }

  List<Copy> copiesOf(VmId vm) {
    return copies.getOrDefault(vm, List.of());
  }

  long latestLease(VmId vm) {
    return leases.getOrDefault(vm, 0L);
  }
}
