package dev.pageferry.coordinator.ownership;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.OwnershipEpoch;

/**
 * Whose a VM is, or was last.
 *
 * @param storage that the VM's disks are on, or its saved state; empty: none, or not known
 * @param started whether the owner has said that the VM does its first step here: from then on nobody gives it back
 */
record Tenure(HostId host, Incarnation incarnation, String storage, OwnershipEpoch epoch, boolean started) {
  /** Of an owner that has not said that the VM runs. */
  Tenure(HostId host, Incarnation incarnation, String storage, OwnershipEpoch epoch) {
    this(host, incarnation, storage, epoch, false);
  }

  /** Another owner, or the same one anew: always under the next epoch. */
  Tenure succeededBy(HostId nextHost, Incarnation nextIncarnation, String nextStorage) {
    return new Tenure(nextHost, nextIncarnation, nextStorage, epoch.next());
  }

  /** The same owner under the next epoch: whatever it holds of the VM is void. */
  Tenure voided() {
    return new Tenure(host, incarnation, storage, epoch.next());
  }

  Tenure onStorage(String nextStorage) {
    return new Tenure(host, incarnation, nextStorage, epoch, started);
  }

  /** The owner has said that the VM does its first step. */
  Tenure asStarted() {
    return new Tenure(host, incarnation, storage, epoch, true);
  }

  boolean isOf(HostId otherHost, Incarnation otherIncarnation) {
    return host.equals(otherHost) && incarnation.equals(otherIncarnation);
  }

  boolean isAlive(LiveHosts liveness) {
    return liveness.isAlive(host, incarnation);
  }
}
