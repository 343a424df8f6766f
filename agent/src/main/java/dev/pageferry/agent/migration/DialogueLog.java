package dev.pageferry.agent.migration;

import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;

/** Logs what the row was asked about one operation, and what it said. */
public record DialogueLog(MigrationLog log) implements OwnershipDialogue.Listener {
  @Override
  public void waits(String reason) {
    log.warn("in doubt: {}", reason);
  }

  @Override
  public void ruled(Ruling.Final ruling) {
    log.info("the row says: {}", ruling);
  }
}
