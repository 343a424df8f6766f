package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.disk.DiskCopies;
import dev.pageferry.agent.disk.IncomingDisks.Origin;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.agent.ownership.Ruling.NotOurs.Why;
import dev.pageferry.common.concurrent.Backoff;
import dev.pageferry.common.failure.IoFailure;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finishes what an earlier incarnation of this host left of disks that were coming to it: where the VM came to be this host's they
 * take their names, where it did not they go. The coordinator says which.
 */
public final class DiskRecovery implements Runnable {
  private static final Logger log = LoggerFactory.getLogger(DiskRecovery.class);
  private static final OwnershipDialogue.Listener SILENT = new OwnershipDialogue.Listener() {
    @Override
    public void waits(Ruling.Unsettled ruling) {
      log.debug("disks that were coming wait: {}", ruling.reason());
    }

    @Override
    public void ruled(Ruling.Final ruling) {
      // Said where it is acted upon.
    }
  };

  private final DiskCopies copies;
  private final OwnershipDialogue.Line line;
  private final List<Origin> left;
  /** What was complained about. */
  private final Set<Origin> troubled = new HashSet<>();

  private DiskRecovery(DiskCopies copies, OwnershipDialogue.Line line, List<Origin> left) {
    this.copies = copies;
    this.line = line;
    this.left = left;
  }

  /** Notes what there is; to be called before this incarnation of the host receives anything itself. */
  public static DiskRecovery ofEarlierIncarnation(DiskCopies copies, OwnershipDialogue.Line line) {
    List<Origin> left = List.of();
    try {
      left = copies.left();
    } catch (IOException e) {
      log.warn("disks that were coming to this host cannot be listed: {}", IoFailure.sentence(e));
    }
    return new DiskRecovery(copies, line, left);
  }

  /** Returns once nothing is left that the coordinator knows of, or when interrupted. */
  @Override
  public void run() {
    List<Origin> unfinished = new ArrayList<>(left);
    Backoff backoff = line.backoff();
    try {
      while (!unfinished.isEmpty()) {
        for (Iterator<Origin> each = unfinished.iterator(); each.hasNext();) {
          if (isFinished(each.next())) {
            each.remove();
          }
        }
        line.scheduler().sleep(backoff.next());
      }
    } catch (InterruptedException e) {
      log.info("disks that were coming to this host are left to its next incarnation");
    }
  }

  private boolean isFinished(Origin origin) throws InterruptedException {
    OwnershipDialogue dialogue = OwnershipDialogue.ofDestination(line.apart(), origin.vm(), origin.migration(),
        origin.epoch().next(), SILENT);
    try {
      return switch (dialogue.askOnce()) {
        case Ruling.Ours _ -> promoted(origin);
        // It has moved on since, and its disks are here all the same.
        case Ruling.NotOurs notOurs when notOurs.why() == Why.COMMITTED -> promoted(origin);
        case Ruling.NotOurs notOurs when notOurs.makesDisksCopies() -> deleted(origin);
        case Ruling.NotOurs notOurs -> {
          log.warn("migration={} vm={} left disks here that may be the only copy; they stay below incoming/: {}",
              origin.migration(), origin.vm(), notOurs);
          yield true;
        }
        case Ruling.Pending() -> false;
        case Ruling.NoAnswer _ -> false;
        case Ruling.Denied _ -> false;
        case Ruling.RecordsUnknown() -> false;
      };
    } catch (IOException e) {
      if (troubled.add(origin)) {
        log.warn("migration={} vm={} left disks here that cannot be dealt with now: {}", origin.migration(),
            origin.vm(), IoFailure.sentence(e));
      }
      return false;
    }
  }

  private boolean promoted(Origin origin) throws IOException {
    copies.promote(origin);
    log.info("migration={} vm={} was committed: its disks have their names", origin.migration(), origin.vm());
    return true;
  }

  private boolean deleted(Origin origin) throws IOException {
    copies.delete(origin);
    log.info("migration={} vm={} came to nothing: its disks are deleted here", origin.migration(), origin.vm());
    return true;
  }
}
