package dev.pageferry.agent.guest;

import dev.pageferry.agent.ownership.Ruling;

/** What becomes of this host's copy of a guest when the row has decided. */
public interface HostedCopies {
  /** It is of no use any more: the guest belongs to another host, or to nobody. */
  void givenAway(Guest copy, Ruling.NotOurs ruling);

  /** Whether this copy is still among the guests of this host. */
  default boolean has(Guest copy) {
    return true;
  }

  /** The guest is this host's, perhaps under a later epoch than before. */
  default void ruledOurs(Guest copy, Ruling.Ours ruling) {
  }
}
