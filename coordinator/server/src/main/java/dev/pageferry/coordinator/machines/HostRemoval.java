package dev.pageferry.coordinator.machines;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.tls.Role;
import dev.pageferry.coordinator.access.Admissions;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A host leaves the cluster for good. */
public final class HostRemoval {
  private static final int NAMED = 5;

  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final Admissions admissions;

  public HostRemoval(HostInventory inventory, OwnershipLedger ledger, Admissions admissions) {
    this.inventory = inventory;
    this.ledger = ledger;
    this.admissions = admissions;
  }

  /**
   * Takes a host that is down out of the cluster: it is forgotten, and refused from now on whatever its certificate says.
   *
   * @throws RequestException if it is not there, is up, or has VMs
   */
  public void remove(String name) throws RequestException {
    HostId id = known(name);
    List<String> vms = ledger.list().stream().map(OwnershipLedger.Row::record).filter(each -> isOn(id, each))
        .map(each -> each.getSpec().getName()).toList();
    if (!vms.isEmpty()) {
      throw new RequestException(Kind.REFUSED, "host %s has %s; move, stop or delete %s first", id,
          vms.size() <= NAMED ? "VM " + String.join(", ", vms) : vms.size() + " VMs", vms.size() == 1 ? "it" : "them");
    }
    ledger.requireChangeable();
    requireDown(id);
    // Refused from here on, and not heard any more; one that was heard just before stays as it was, and none of it is over.
    admissions.revoke(Role.HOST, id.value());
    Optional<HostInventory.Host> host = inventory.find(id);
    if (host.isPresent() && !inventory.forget(id)) {
      admissions.admit(id);
      throw new RequestException(Kind.REFUSED, "host %s came back just now; end its agent first", id);
    }
    // Another machine of that name has no history.
    inventory.stops().forgive(id);
    admissions.delete(id, host.map(HostRemoval::incarnations).orElse(List.of()));
  }

  private static List<String> incarnations(HostInventory.Host host) {
    List<String> over = new ArrayList<>(host.record().getSupersededList());
    over.add(host.record().getIncarnation());
    return over;
  }

  private void requireDown(HostId id) throws RequestException {
    if (inventory.find(id).filter(HostInventory.Host::isUp).isPresent()) {
      throw new RequestException(Kind.REFUSED,
          "host %s is up; end its agent first, or shut it out by 'ferry operator revoke %s --role host'", id, id);
    }
  }

  /** One that was admitted and never came has no record of its own. */
  private HostId known(String name) throws RequestException {
    try {
      HostId id = new HostId(name);
      return admissions.isAdmitted(id) ? id : RequestedHost.find(inventory, name).id();
    } catch (IllegalArgumentException e) {
      throw new RequestException(Kind.INVALID, "%s", String.valueOf(e.getMessage()));
    }
  }

  private static boolean isOn(HostId host, VmRecord row) {
    boolean isOwner = row.getOwnerHost().equals(host.value())
        && (row.getPhase() == VmRecord.Phase.ACTIVE || row.getPhase() == VmRecord.Phase.CREATING);
    return isOwner || (row.hasPending() && row.getPending().getDestinationHost().equals(host.value()));
  }
}
