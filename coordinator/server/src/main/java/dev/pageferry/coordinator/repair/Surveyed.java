package dev.pageferry.coordinator.repair;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * All that is known of where VMs are.
 *
 * @param rows what the records say
 * @param hosts what hosts say
 * @param leases what the leases of disks on the storages say
 * @param deleted VMs that have no row because they were deleted, of those that hosts report
 * @param names of VMs by their rows
 */
record Surveyed(Map<VmId, VmRecord> rows, Hosts hosts, Leases leases, Set<VmId> deleted, Map<String, VmId> names) {
  /**
   * What hosts that are up say of VMs.
   *
   * @param copies that they have
   * @param arrivals copies that they would have, if an operation were committed that they are in doubt about
   * @param silent incarnations of hosts that are not heard and may run VMs
   */
  record Hosts(Map<VmId, List<Copy>> copies, Map<VmId, List<Arrival>> arrivals, Set<Incarnation> silent) {
  }

  /**
   * What the leases of disks say.
   *
   * @param latest epoch under which a disk of the VM was opened
   * @param read storages whose leases are all in it
   */
  record Leases(Map<VmId, Long> latest, Set<String> read) {
  }

  /**
   * A copy of a VM on a host.
   *
   * @param name the VM's
   * @param hasDisks whether the VM has any
   * @param isInDoubt whether it is kept paused until it is known whose it is
   */
  record Copy(HostId host, Incarnation incarnation, String storage, long epoch, String name, boolean hasDisks,
      boolean isInDoubt) {
    boolean isOfRow(VmRecord row) {
      return row.getPhase() == VmRecord.Phase.ACTIVE && row.getOwnerHost().equals(host.value())
          && row.getOwnerIncarnation().equals(incarnation.value()) && row.getEpoch() == epoch;
    }
  }

  /**
   * A whole copy that a host keeps paused until it is known whether it is the VM.
   *
   * @param epoch under which the host would have it
   * @param isCommitted whether the records know that it was
   */
  record Arrival(HostId host, Incarnation incarnation, String storage, MigrationId operation, long epoch,
      boolean isCommitted) {
    boolean isOfRow(VmRecord row) {
      return isCommitted && row.getPhase() == VmRecord.Phase.ACTIVE && row.getOwnerHost().equals(host.value())
          && row.getOwnerIncarnation().equals(incarnation.value()) && row.getEpoch() == epoch;
    }
  }

  Optional<VmRecord> row(VmId vm) {
    return Optional.ofNullable(rows.get(vm));
  }

  List<Copy> copiesOf(VmId vm) {
    return hosts.copies().getOrDefault(vm, List.of());
  }

  List<Arrival> arrivalsOf(VmId vm) {
    return hosts.arrivals().getOrDefault(vm, List.of());
  }

  /** Whether the row's owner may run the VM, and is not heard. */
  boolean isWithASilentHost(VmRecord row) {
    return hosts.silent().contains(new Incarnation(row.getOwnerIncarnation()));
  }

  /** A copy of another VM of that name, which has no row. */
  Optional<Copy> namesake(VmId vm, String name) {
    return hosts.copies().entrySet().stream()
        .filter(
            each -> !each.getKey().equals(vm) && !rows.containsKey(each.getKey()) && !deleted.contains(each.getKey()))
        .flatMap(each -> each.getValue().stream()).filter(each -> each.name().equals(name)).findFirst();
  }

  long latestLease(VmId vm) {
    return leases.latest().getOrDefault(vm, 0L);
  }

  /** The storage of a VM whose leases are not known, so that a later epoch than all that is known may have been given out. */
  Optional<String> unreadStorage(VmId vm) {
    Stream<String> byCopies = copiesOf(vm).stream().filter(Copy::hasDisks).map(Copy::storage);
    Stream<String> byRow = row(vm).stream().map(VmRecord::getStorageId);
    return Stream.concat(byCopies, byRow).filter(each -> !each.isEmpty() && !leases.read().contains(each)).findFirst();
  }
}
