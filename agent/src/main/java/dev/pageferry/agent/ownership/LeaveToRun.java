package dev.pageferry.agent.ownership;

import dev.pageferry.common.identity.OwnershipEpoch;

/** What a guest that was held for its owner to be clear needs to run on this host. */
public sealed interface LeaveToRun permits LeaveToRun.NeverAsked, Ruling.Ours {
  /** The epoch under which this host has it. */
  OwnershipEpoch epoch();

  /** It never stopped being this host's: nobody has asked the row to give it away. */
  final class NeverAsked implements LeaveToRun {
    private final OwnershipEpoch epoch;

    NeverAsked(OwnershipEpoch epoch) {
      this.epoch = epoch;
    }

    @Override
    public OwnershipEpoch epoch() {
      return epoch;
    }
  }
}
