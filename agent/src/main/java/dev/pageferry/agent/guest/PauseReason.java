package dev.pageferry.agent.guest;

/** Why vCPUs do not run. They run only when there is no reason left. */
public enum PauseReason {
  /** The operator asked; travels with the VM when it moves. */
  OPERATOR,
  /** A migration's stop-and-copy; removed only by its rollback or by the activation at the destination. */
  MIGRATION,
  /** Another host was given the VM's disks: it must not run here any more. */
  FENCE,
  /** Its membership lease has run out. */
  MEMBERSHIP_LEASE,
  /** Registers and page hashes are being taken. */
  DIGEST
}
