package dev.pageferry.coordinator.ownership;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import java.util.Optional;

/**
 * What is remembered of a migration, save or restore beside the row.
 *
 * @param decidedEpoch the epoch that the decision left the VM in; 0 while it is pending
 * @param source who had the VM when it was begun, where the record says so
 * @param isSave whether it takes the VM to a file, and to no host
 */
record DecidedOperation(VmId vm, Decided decided, long decidedEpoch, Optional<Source> source, boolean isSave) {
  enum Decided {
    PENDING,
    COMMITTED,
    ABORTED,
    TAKEN_BACK
  }

  /** @param storage where the VM's disks were; empty: none, or not known */
  record Source(HostId host, Incarnation incarnation, String storage) {
  }
}
