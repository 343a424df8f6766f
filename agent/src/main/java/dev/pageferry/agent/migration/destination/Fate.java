package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.migration.OwnershipClient.Decision;

/** What becomes of the disks that came with a guest which does not run here. */
enum Fate {
  /** They are copies, and go: nothing was committed, or it was taken back. */
  COPIES,
  /**
   * They may be the VM's only ones, and stay where they are: the VM was this host's, or may have been, and has moved on or is
   * not known any more. The next life of this host asks again ({@link DiskRecovery}).
   */
  MAYBE_THE_DISKS;

  static Fate of(Decision decision) {
    return switch (decision.outcome()) {
      case ABORTED, TAKEN_BACK -> COPIES;
      case COMMITTED, UNKNOWN, PENDING -> MAYBE_THE_DISKS;
    };
  }
}
