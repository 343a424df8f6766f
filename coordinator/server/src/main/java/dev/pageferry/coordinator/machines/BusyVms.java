package dev.pageferry.coordinator.machines;

import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.RowsFrozenException;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** VMs that are being created, started, stopped or saved right now by this process: one change at a time. */
final class BusyVms {
  private final Set<VmId> busy = ConcurrentHashMap.newKeySet();
  private final Runnable requireChangeable;

  /** @param requireChangeable refuses while rows may not change: nothing may be done on hosts then either */
  BusyVms(Runnable requireChangeable) {
    this.requireChangeable = requireChangeable;
  }

  /** A change of a VM that excludes other changes of it. */
  interface Change<T> {
    T make() throws RequestException, ConflictException;
  }

  <T> T exclusively(VmId id, String name, Change<T> change) throws RequestException {
    try {
      requireChangeable.run();
    } catch (RowsFrozenException e) {
      throw new RequestException(Kind.FROZEN, "%s", String.valueOf(e.getMessage()));
    }
    if (!busy.add(id)) {
      throw new RequestException(Kind.REFUSED, "VM %s is being created, started, stopped or saved; try again", name);
    }
    try {
      return change.make();
    } catch (ConflictException e) {
      throw new RequestException(Kind.REFUSED, "%s", String.valueOf(e.getMessage()));
    } finally {
      busy.remove(id);
    }
  }
}
