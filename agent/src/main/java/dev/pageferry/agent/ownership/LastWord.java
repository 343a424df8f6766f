package dev.pageferry.agent.ownership;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The latest that the coordinator has said, unasked, of copies of one guest: a word of earlier epochs takes nothing back. Any
 * thread.
 */
public final class LastWord {
  private final Signal heard;
  /** Guarded by this. */
  private @Nullable CoordinatorsWord latest;
  /** Guarded by this. */
  private @Nullable CoordinatorsWord latestOfElsewhere;

  LastWord(Scheduler scheduler) {
    this.heard = scheduler.newSignal();
  }

  void hear(CoordinatorsWord word) {
    synchronized (this) {
      latest = later(latest, word);
      if (word.runsElsewhere()) {
        latestOfElsewhere = later(latestOfElsewhere, word);
      }
    }
    heard.raise();
  }

  private static CoordinatorsWord later(@Nullable CoordinatorsWord one, CoordinatorsWord other) {
    return one == null || other.over().compareTo(one.over()) > 0 ? other : one;
  }

  /** The word by which a copy under that epoch is of no use any more; empty if there is none. */
  public synchronized Optional<CoordinatorsWord> against(OwnershipEpoch epoch) {
    return Optional.ofNullable(latest).filter(word -> word.concerns(epoch));
  }

  /** Whether a copy under that epoch is of no use any more. */
  public boolean isOver(OwnershipEpoch epoch) {
    return against(epoch).isPresent();
  }

  /** Whether the owner that has the guest since that epoch has said that it runs there. */
  public synchronized boolean runsElsewhereSince(OwnershipEpoch epoch) {
    return Optional.ofNullable(latestOfElsewhere).filter(word -> word.concerns(epoch)).isPresent();
  }

  /** Waits until a copy under that epoch is of no use any more, or the time is over. */
  public void await(OwnershipEpoch epoch, Duration atMost) throws InterruptedException {
    boolean _ = heard.await(() -> isOver(epoch), atMost);
  }
}
