package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.disk.DiskCopies;
import dev.pageferry.agent.disk.IncomingDisks.Origin;
import dev.pageferry.agent.migration.OwnershipClient;
import dev.pageferry.agent.migration.OwnershipClient.Decision;
import dev.pageferry.agent.migration.OwnershipClient.Outcome;
import dev.pageferry.agent.migration.OwnershipClient.UnreachableException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finishes what an earlier life of this host left of disks that were coming to it: where the VM came to be this host's they
 * take their names, where it did not they go. The coordinator says which.
 */
public final class DiskRecovery implements Runnable {
  private static final Logger log = LoggerFactory.getLogger(DiskRecovery.class);
  private static final Duration RETRY = Duration.ofSeconds(1);

  private final DiskCopies copies;
  private final OwnershipClient ownership;
  private final List<Origin> left;
  /** What was complained about. */
  private final Set<Origin> troubled = new HashSet<>();

  private DiskRecovery(DiskCopies copies, OwnershipClient ownership, List<Origin> left) {
    this.copies = copies;
    this.ownership = ownership;
    this.left = left;
  }

  /** Notes what there is; to be called before this life of the host receives anything itself. */
  public static DiskRecovery ofEarlierLife(DiskCopies copies, OwnershipClient ownership) {
    List<Origin> left = List.of();
    try {
      left = copies.left();
    } catch (IOException e) {
      log.warn("disks that were coming to this host cannot be listed: {}", e.getMessage());
    }
    return new DiskRecovery(copies, ownership, left);
  }

  /** Returns once nothing is left that the coordinator knows of, or when interrupted. */
  @Override
  public void run() {
    List<Origin> unfinished = new ArrayList<>(left);
    try {
      while (!unfinished.isEmpty()) {
        for (Iterator<Origin> each = unfinished.iterator(); each.hasNext();) {
          if (isFinished(each.next())) {
            each.remove();
          }
        }
        Thread.sleep(RETRY);
      }
    } catch (InterruptedException e) {
      log.info("disks that were coming to this host are left to its next life");
    }
  }

  private boolean isFinished(Origin origin) throws InterruptedException {
    try {
      Decision decision = ownership.resolveAtDestination(origin.vm(), origin.migration());
      if (decision.outcome() == Outcome.PENDING) {
        return false;
      }
      if (decision.outcome() == Outcome.COMMITTED) {
        copies.promote(origin);
        log.info("migration={} vm={} was committed: its disks have their names", origin.migration(), origin.vm());
      } else if (Fate.of(decision) == Fate.COPIES) {
        copies.delete(origin);
        log.info("migration={} vm={} came to nothing: its disks are deleted here", origin.migration(), origin.vm());
      } else {
        log.warn("migration={} vm={} left disks here that may be the only copy; they stay below incoming/",
            origin.migration(), origin.vm());
      }
      return true;
    } catch (IOException e) {
      if (troubled.add(origin)) {
        log.warn("migration={} vm={} left disks here that cannot be dealt with now: {}", origin.migration(),
            origin.vm(), e.getMessage());
      }
      return false;
    } catch (UnreachableException | RuntimeException e) {
      log.debug("the coordinator could not be asked: {}", e.getMessage());
      return false;
    }
  }
}
