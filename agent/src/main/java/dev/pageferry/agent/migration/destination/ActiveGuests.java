package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.common.identity.OwnershipEpoch;

/** Where a guest goes once this host owns it. */
public interface ActiveGuests {
  /** Takes over a paused guest that this host owns under the epoch. */
  void adopt(IncomingGuest vm, OwnershipEpoch epoch);
}
