package dev.pageferry.coordinator.ownership;

import dev.pageferry.coordinator.store.RecordStore.Transaction;

/** Whether rows may change now. */
public interface ChangeGate {
  /** They always may. */
  ChangeGate OPEN = () -> {
  };

  /** @throws RowsFrozenException if they may not */
  void check();

  /** The change, which is not made if they may not any more when it is. */
  default Transaction guarded(Transaction change) {
    return change;
  }

  /**
   * Whether an operator has put the records right since they went back in time: what they do not know of then was lost with
   * what they lost, and was not decided.
   */
  default boolean isRepaired() {
    return false;
  }
}
