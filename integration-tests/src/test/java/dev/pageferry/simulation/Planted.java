package dev.pageferry.simulation;

/** A fault that is put between the code and one of its ports, to see that it is found. */
enum Planted {
  NOTHING,
  /** A source whose question is not answered takes that for a no, and lets its guest run on. */
  SILENCE_IS_A_NO,
  /** A destination whose question is not answered takes that for a yes, and lets the guest run. */
  SILENCE_IS_A_YES,
  /** A source whose note that the state is whole is not answered takes it for heard. */
  SILENCE_IS_HEARD,
  /** Guests run whether their host's lease on the storage is live or not. */
  LEASE_NOT_CHECKED,
  /** Guests without disks are heard whether the lease that they work by is live or not. */
  MEMBERSHIP_NOT_CHECKED,
  /** A host counts its lease from when the storage has answered, not from when it asked. */
  RENEWAL_COUNTED_FROM_ANSWER,
  /** Who cannot look whether a host lives says that it is gone. */
  FENCE_FAILS_OPEN,
  /** The coordinator's records are older after it has died than they were before. */
  RECORDS_GO_BACK,
  /** What the rounds of a move that failed took from the dirty log is not sent by the next one. */
  ROUND_NOT_PUT_BACK,
  /** A row is written whether it is still as it was read or not, so that commit and abort both win. */
  BOTH_DECISIONS_WIN
}
