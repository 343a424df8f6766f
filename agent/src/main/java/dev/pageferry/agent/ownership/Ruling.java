package dev.pageferry.agent.ownership;

import dev.pageferry.common.identity.OwnershipEpoch;

/**
 * What the coordinator's row says of a copy of a guest on this host. A copy that may be another host's is let run or destroyed
 * only by methods that take one of these, and nobody but this package makes them.
 */
public sealed interface Ruling {
  /** One that ends the doubt. */
  sealed interface Final extends Ruling {
  }

  /** One that ends nothing: it is asked again. */
  sealed interface Unsettled extends Ruling {
    /** For operators: what is waited for. */
    String reason();
  }

  /** The guest is this host's. */
  final class Ours implements Final, LeaveToRun {
    private final OwnershipEpoch epoch;

    Ours(OwnershipEpoch epoch) {
      this.epoch = epoch;
    }

    @Override
    public OwnershipEpoch epoch() {
      return epoch;
    }

    @Override
    public String toString() {
      return "this host's under epoch " + epoch;
    }
  }

  /** The guest is another host's, or nobody's: a copy here is of no use any more. */
  final class NotOurs implements Final {
    /** Why. */
    public enum Why {
      /** It was committed to the migration's destination. */
      COMMITTED,
      ABORTED,
      /** It was this host's, which has given it back. */
      TAKEN_BACK,
      /** It is in its file. */
      SAVED,
      DELETED,
      /** The coordinator's order, or its answer to a heartbeat. */
      ORDERED
    }

    private final Why why;
    private final String owner;
    private final long epoch;

    NotOurs(Why why, String owner, long epoch) {
      this.why = why;
      this.owner = owner;
      this.epoch = epoch;
    }

    public Why why() {
      return why;
    }

    /** Whose it is; empty: nobody's, or not known. */
    public String owner() {
      return owner;
    }

    /** The VM's epoch as of this answer; of an order: the last one that is over. */
    public long epoch() {
      return epoch;
    }

    /**
     * Whether disks that came with the guest are but copies: nothing was committed, or it was taken back. Where not, they may
     * be the VM's only ones, and stay.
     */
    public boolean makesDisksCopies() {
      return why == Why.ABORTED || why == Why.TAKEN_BACK;
    }

    @Override
    public String toString() {
      return "not this host's: %s owner=%s epoch=%d".formatted(why, owner, epoch);
    }
  }

  /** Nobody was heard: whatever was asked for may have been done, or not. */
  record NoAnswer(String reason) implements Unsettled {
  }

  /** The row has heard the question, and nothing is decided yet. */
  record Pending() implements Unsettled {
    @Override
    public String reason() {
      return "nothing is decided yet";
    }
  }

  /** This host may not ask. Nothing is destroyed and nothing runs for that. */
  record Denied(String reason) implements Unsettled {
  }

  /** The records do not know of it: they may be older than the guest. Nothing is destroyed and nothing runs for that. */
  record RecordsUnknown() implements Unsettled {
    @Override
    public String reason() {
      return "the coordinator's records do not know of this VM's operation; they may have gone back in time";
    }
  }
}
