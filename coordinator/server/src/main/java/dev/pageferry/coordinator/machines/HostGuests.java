package dev.pageferry.coordinator.machines;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.List;

/** What an incarnation of a host has by the rows, and what of it could go on beside a newer one in its place. */
public final class HostGuests {
  private static final int MAX_NAMED = 5;

  private final OwnershipLedger ledger;

  public HostGuests(OwnershipLedger ledger) {
    this.ledger = ledger;
  }

  /** The VMs that are, or were, on that incarnation of the host. */
  public List<Row> of(HostId host, Incarnation incarnation) {
    return ledger.list().stream().filter(each -> isOnHost(each.record(), host, incarnation)).toList();
  }

  /** Names of those that no lease on shared storage would end: they have no disks. */
  public List<String> unfenced(HostId host, Incarnation incarnation) {
    return of(host, incarnation).stream().filter(each -> !isFenced(each.record()))
        .map(each -> each.record().getSpec().getName()).sorted().toList();
  }

  private static boolean isOnHost(VmRecord record, HostId host, Incarnation incarnation) {
    return switch (record.getPhase()) {
      case CREATING, ACTIVE -> record.getOwnerHost().equals(host.value())
          && record.getOwnerIncarnation().equals(incarnation.value());
      // Unknown to this version: whatever it is, it may run.
      case PHASE_UNSPECIFIED, UNRECOGNIZED -> record.getOwnerHost().equals(host.value());
      case STOPPED, SAVED -> false;
    };
  }

  /** Whether its host lets it run only as long as leases on storage last, which whoever has the VM next waits for. */
  static boolean isFenced(VmRecord record) {
    return record.getSpec().getDisksCount() > 0 && !record.getStorageId().isEmpty();
  }

  /** A few of the names, for a line that people read. */
  public static String named(List<String> vms) {
    String some = String.join(", ", vms.subList(0, Math.min(MAX_NAMED, vms.size())));
    int more = vms.size() - MAX_NAMED;
    return "%s %s%s".formatted(vms.size() == 1 ? "VM" : "VMs", some, more > 0 ? " and %d more".formatted(more) : "");
  }
}
