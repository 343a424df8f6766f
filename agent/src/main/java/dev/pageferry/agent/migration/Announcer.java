package dev.pageferry.agent.migration;

import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;

/** Tells switches where a VM's network cards are now. */
public interface Announcer {
  /** For hosts whose guests have no network cards. */
  Announcer NONE = (vm, epoch) -> {
  };

  /** Starts announcing in the background, for as long as the VM is this host's under the epoch. */
  void announce(VmId vm, OwnershipEpoch epoch);
}
