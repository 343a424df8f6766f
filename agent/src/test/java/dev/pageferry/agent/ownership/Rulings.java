package dev.pageferry.agent.ownership;

import dev.pageferry.common.identity.OwnershipEpoch;

/** Rulings that no row has made, for tests of what is done about them. */
public final class Rulings {
  private Rulings() {
  }

  public static LeaveToRun leaveToRun() {
    return new LeaveToRun.NeverAsked(new OwnershipEpoch(1));
  }

  public static Ruling.NotOurs notOurs() {
    return new Ruling.NotOurs(Ruling.NotOurs.Why.COMMITTED, "another", 2);
  }
}
