package dev.pageferry.agent.guest;

import java.util.EnumSet;
import java.util.Set;

/** Why a guest is paused; it runs while there is none. Any thread. */
public final class PauseReasons {
  private final Set<PauseReason> reasons;

  /** @param first of a guest that has just been made */
  public PauseReasons(PauseReason first) {
    this.reasons = EnumSet.of(first);
  }

  /** In place of all that there were. */
  public synchronized void become(PauseReason one, Set<PauseReason> also) {
    reasons.clear();
    reasons.addAll(also);
    reasons.add(one);
  }

  /** @return whether it is a new one */
  public synchronized boolean add(PauseReason reason) {
    return reasons.add(reason);
  }

  /** @return whether it was one */
  public synchronized boolean remove(PauseReason reason) {
    return reasons.remove(reason);
  }

  /**
   * Sets or removes the operator's, which has no effect on what is fixed by then.
   *
   * @return whether that changes something
   * @throws IllegalStateException while the guest switches over, or is being taken over
   */
  public synchronized boolean setOperators(boolean paused, String vm) {
    if (reasons.contains(PauseReason.MIGRATION)) {
      throw new IllegalStateException(
          "VM %s is switching over to another host, or is being taken over; try again".formatted(vm));
    }
    return paused ? reasons.add(PauseReason.OPERATOR) : reasons.remove(PauseReason.OPERATOR);
  }

  public synchronized boolean contains(PauseReason reason) {
    return reasons.contains(reason);
  }

  public synchronized boolean isEmpty() {
    return reasons.isEmpty();
  }
}
