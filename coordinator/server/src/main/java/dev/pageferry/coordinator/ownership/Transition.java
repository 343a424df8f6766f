package dev.pageferry.coordinator.ownership;

import dev.pageferry.coordinator.ownership.OwnershipLedger.Decision;

/** What comes of an event. */
sealed interface Transition {
  /** The row, and the operation's decision with it, change together. */
  record Applied(VmOwnership next, Fate fate, Decision answer) implements Transition {
    /** Changes nothing but the row. */
    Applied(VmOwnership next, Decision answer) {
      this(next, Fate.UNCHANGED, answer);
    }
  }

  /** Nothing changes: it was decided before, or cannot be decided now. */
  record Answered(Decision answer) implements Transition {
  }

  /** The row is not in a state for this. */
  record Refused(String reason) implements Transition {
  }

  /** What is remembered of the operation for good. */
  enum Fate {
    UNCHANGED,
    BEGUN,
    COMMITTED,
    ABORTED,
    TAKEN_BACK
  }
}
