package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.disk.DiskCopies;
import dev.pageferry.agent.disk.IncomingDisks.Origin;
import dev.pageferry.agent.migration.OwnershipClient;
import dev.pageferry.agent.migration.OwnershipClient.Decision;
import dev.pageferry.agent.migration.OwnershipClient.UnreachableException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
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
    try {
      for (Origin each : left) {
        finish(each);
      }
    } catch (InterruptedException e) {
      log.info("disks that were coming to this host are left to its next life");
    }
  }

  private void finish(Origin origin) throws InterruptedException {
    try {
      Decision decision = decision(origin);
      log.info("migration={} vm={} left disks here, the coordinator says {}", origin.migration(), origin.vm(),
          decision.outcome());
      switch (decision.outcome()) {
        case COMMITTED -> copies.promote(origin);
        case ABORTED, TAKEN_BACK -> copies.delete(origin);
        case UNKNOWN, PENDING -> log.warn(
            "migration={} vm={} left disks here that may be the only copy; they stay below incoming/",
            origin.migration(), origin.vm());
      }
    } catch (IOException e) {
      log.warn("migration={} vm={} left disks here that cannot be dealt with: {}", origin.migration(), origin.vm(),
          e.getMessage());
    }
  }

  private Decision decision(Origin origin) throws InterruptedException {
    while (true) {
      try {
        Decision decision = ownership.resolveAtDestination(origin.vm(), origin.migration());
        if (decision.outcome() != OwnershipClient.Outcome.PENDING) {
          return decision;
        }
      } catch (UnreachableException | RuntimeException e) {
        log.debug("the coordinator could not be asked: {}", e.getMessage());
      }
      Thread.sleep(RETRY);
    }
  }
}
