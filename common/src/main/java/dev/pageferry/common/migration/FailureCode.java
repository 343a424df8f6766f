package dev.pageferry.common.migration;

/** Names of the reasons for which a migration ends without the VM running at its destination. Scripts rely on them. */
public enum FailureCode {
  /** The destination could not be connected. */
  DESTINATION_UNREACHABLE,
  /** The destination said no: memory, an unknown migration, an unsupported version. */
  DESTINATION_REFUSED,
  /** The destination or the link to it went away before the commit. In doubt: it fell silent after the commit. */
  DESTINATION_LOST,
  /** The destination died after the commit, with the VM, which was its own by then: the VM is down. */
  LOST_AFTER_COMMIT,
  /** The source or the link to it went away. */
  SOURCE_LOST,
  /** The peer broke the protocol. */
  PROTOCOL_VIOLATION,
  /** A page or the digest of all pages did not arrive as it was sent. */
  DATA_CORRUPTED,
  /** Rounds no longer shrink the rest, and the expected blackout exceeds the limit. */
  STALLED,
  /** The attempt did not come to its commit within the time that the operator allowed. */
  TIMED_OUT,
  /** The coordinator could not be asked for the commit. */
  COORDINATOR_UNREACHABLE,
  /** The ownership row says that this attempt was aborted. */
  ABORTED,
  /** A disk of the VM could not be flushed, released or opened. */
  DISKS_UNAVAILABLE,
  /** The VM's machine did not give its state, or the state could not be written to shared storage or read back. */
  STATE_UNAVAILABLE,
  /** The source died when the VM's state was whole on shared storage: the VM is saved; start it. */
  SAVED,
  /** An operator cancelled. */
  CANCELLED,
  /** Something in this program went wrong; the message says what. */
  INTERNAL
}
