package dev.pageferry.agent.migration;

import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Logs what the row was asked about one operation, and what it said. Questions are repeated for as long as it takes: each kind
 * of reason to wait is said once until there is a ruling, because texts of one kind differ in figures that change. Owned by
 * the dialogue's task.
 */
public final class DialogueLog implements OwnershipDialogue.Listener {
  private final Consumer<String> doubts;
  private final Consumer<Ruling.Final> rulings;
  private final Set<Class<?>> said = new HashSet<>();

  public DialogueLog(MigrationLog log) {
    this(reason -> log.warn("in doubt: {}", reason), ruling -> log.info("the row says: {}", ruling));
  }

  /**
   * Of an operation that has words of its own.
   *
   * @param doubts told the first reason of each kind
   */
  public DialogueLog(Consumer<String> doubts, Consumer<Ruling.Final> rulings) {
    this.doubts = doubts;
    this.rulings = rulings;
  }

  @Override
  public void waits(Ruling.Unsettled ruling) {
    if (said.add(ruling.getClass())) {
      doubts.accept(ruling.reason());
    }
  }

  @Override
  public void ruled(Ruling.Final ruling) {
    said.clear();
    rulings.accept(ruling);
  }
}
