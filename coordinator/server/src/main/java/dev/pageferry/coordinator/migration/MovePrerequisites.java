package dev.pageferry.coordinator.migration;

import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.machines.Eligibility;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.proto.cluster.v1.Migration;

/** What must hold of a VM and a destination before anything of a migration starts. */
final class MovePrerequisites {
  private final HostInventory inventory;
  private final Eligibility eligibility;

  MovePrerequisites(HostInventory inventory, Eligibility eligibility) {
    this.inventory = inventory;
    this.eligibility = eligibility;
  }

  /** @throws RequestException if the VM cannot be moved there, with the first reason */
  void check(Row row, Host destination, RequestedMove move) throws RequestException {
    String name = row.record().getSpec().getName();
    eligibility.requireInMemory(row, "there is nothing to move, start it first");
    if (row.record().hasPending()) {
      throw new RequestException(Kind.REFUSED, "VM %s is being migrated already (%s); wait for it or cancel it", name,
          row.record().getPending().getMigrationId());
    }
    if (destination.id().value().equals(row.record().getOwnerHost())) {
      throw new RequestException(Kind.REFUSED, "VM %s is on host %s already; name another one", name, destination.id());
    }
    Eligibility.requireUp(destination);
    eligibility.requireOpen(destination);
    checkStorage(row, destination, move);
    Eligibility.requireRoom(destination, row.record().getSpec(), "name another host");
  }

  /** Which disks the destination really has, it finds out itself before a page moves. */
  private void checkStorage(Row row, Host destination, RequestedMove move) throws RequestException {
    String name = row.record().getSpec().getName();
    boolean hasDisks = row.record().getSpec().getDisksCount() > 0;
    if (move.order().sharedNothing() && !hasDisks) {
      throw new RequestException(Kind.REFUSED, "VM %s has no disks to copy; leave --shared-nothing out", name);
    }
    Host source = RequestedHost.find(inventory, row.record().getOwnerHost());
    if (move.order().sharedNothing()) {
      requireStorageApart(source, destination, "VM %s has disks".formatted(name));
    } else if (hasDisks) {
      requireSharedStorage(source, destination, "VM %s has disks".formatted(name));
    } else if (move.kind() == Migration.Kind.QUICK) {
      requireSharedStorage(source, destination, "the state of VM %s is saved to shared storage".formatted(name));
    }
  }

  private static void requireStorageApart(Host source, Host destination, String why) throws RequestException {
    Eligibility.requireStorage(source, why);
    Eligibility.requireStorage(destination, why);
    if (storage(source).equals(storage(destination))) {
      throw new RequestException(Kind.REFUSED,
          "%s, and hosts %s and %s share the storage that they are on (%s); leave --shared-nothing out", why,
          source.id(), destination.id(), storage(source));
    }
  }

  private static void requireSharedStorage(Host source, Host destination, String why) throws RequestException {
    Eligibility.requireStorage(source, why);
    Eligibility.requireStorage(destination, why);
    if (!storage(source).equals(storage(destination))) {
      throw new RequestException(Kind.REFUSED,
          "%s, and host %s has other storage (%s) than host %s (%s); name another host, or copy disks by 'ferry migrate live --shared-nothing'",
          why, destination.id(), storage(destination), source.id(), storage(source));
    }
  }

  private static String storage(Host host) {
    return host.record().getStorageId();
  }
}
