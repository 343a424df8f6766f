package dev.pageferry.agent.ownership;

import dev.pageferry.common.identity.OwnershipEpoch;

/** What the coordinator says of copies without being asked by a migration: in orders, and in answers to heartbeats. */
public final class CoordinatorsWord {
  private final Ruling.NotOurs ruling;
  private final OwnershipEpoch over;
  private final boolean runsElsewhere;

  private CoordinatorsWord(OwnershipEpoch over, boolean runsElsewhere) {
    this.ruling = new Ruling.NotOurs(Ruling.NotOurs.Why.ORDERED, "", over.value());
    this.over = over;
    this.runsElsewhere = runsElsewhere;
  }

  /**
   * Copies of a VM are of no use any more.
   *
   * @param over the last epoch that is over
   * @param runsElsewhere whether its owner, another host, has said that it has it
   */
  public static CoordinatorsWord epochIsOver(OwnershipEpoch over, boolean runsElsewhere) {
    return new CoordinatorsWord(over, runsElsewhere);
  }

  /** Whether it concerns a copy that is here under that epoch. */
  public boolean concerns(OwnershipEpoch epoch) {
    return epoch.compareTo(over) <= 0;
  }

  public OwnershipEpoch over() {
    return over;
  }

  public boolean runsElsewhere() {
    return runsElsewhere;
  }

  public Ruling.NotOurs ruling() {
    return ruling;
  }
}
