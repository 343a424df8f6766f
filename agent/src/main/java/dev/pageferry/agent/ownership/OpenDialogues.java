package dev.pageferry.agent.ownership;

import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The dialogues of this host that wait for a ruling. What the coordinator says of a VM unasked reaches each of them, whatever
 * operation it is about; and operators hear of each that waits for long. Any thread.
 */
public final class OpenDialogues {
  /**
   * A guest that this host keeps paused, because the row's word about it is not known here yet or because it cannot run here.
   *
   * @param epoch under which this host has the guest, or would
   * @param reason the newest
   */
  public record Doubt(VmId vm, MigrationId operation, OwnershipEpoch epoch, String reason) {
  }

  /** In the order in which they began to wait; guarded by this. */
  private final Set<OwnershipDialogue> open = new LinkedHashSet<>();

  synchronized void add(OwnershipDialogue dialogue) {
    open.add(dialogue);
  }

  synchronized void remove(OwnershipDialogue dialogue) {
    open.remove(dialogue);
  }

  private synchronized List<OwnershipDialogue> all() {
    return List.copyOf(open);
  }

  /** The coordinator has said which epochs of a VM are over. */
  public void hear(VmId vm, CoordinatorsWord word) {
    // Not under the monitor: whoever is told may wake others.
    all().stream().filter(each -> each.vm().equals(vm)).forEach(each -> each.overrule(word));
  }

  /** What is in doubt for longer than a question and its answer take. */
  public List<Doubt> doubts() {
    return all().stream().map(OwnershipDialogue::doubt).flatMap(Optional::stream).toList();
  }
}
