package dev.pageferry.coordinator.inventory;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import java.util.List;

/** Knows what nothing but its own agent keeps from running. */
public interface UnfencedGuests {
  /** Names of VMs that this life of the host may run, and that have no disks whose leases would end them. May block. */
  List<String> of(HostId host, Incarnation incarnation);
}
