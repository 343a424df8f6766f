package dev.pageferry.agent.disk;

import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads other hosts' leases again and again, whether or not anybody misses them. So a host that dies is waited for from its last renewal on,
 * and not from when somebody asks; nor anew when the coordinator was away meanwhile.
 */
final class LeaseWatch {
  private static final Logger log = LoggerFactory.getLogger(LeaseWatch.class);
  private static final Duration PERIOD = Duration.ofSeconds(1);
  /** All hosts do this: where they are many, each lease is read less often. */
  private static final int MOST_IN_A_PERIOD = 8;
  /** In periods; a host that is new is not missed sooner. */
  private static final int LISTED_EACH = 10;

  private final LeaseStore store;
  private final StorageLease own;
  private final Scheduler scheduler;
  private List<String> names = List.of();
  private int next;

  LeaseWatch(LeaseStore store, StorageLease own, Scheduler scheduler) {
    this.store = store;
    this.own = own;
    this.scheduler = scheduler;
  }

  /** Until it is interrupted. */
  void run() {
    try {
      for (int period = 0;; period++) {
        try {
          if (period % LISTED_EACH == 0) {
            names = StorageLease.othersLeases(store, own.holder().host());
          }
          watch();
        } catch (IOException | RuntimeException | Error e) {
          // Whoever looks then waits from its own look on; and the renewal of this host's lease says what is wrong.
          log.debug("leases of other hosts are not watched just now: {}", e.toString());
        }
        scheduler.sleep(PERIOD);
      }
    } catch (InterruptedException e) {
      // The agent is shutting down.
    }
  }

  private void watch() throws IOException {
    for (int i = 0; i < Math.min(MOST_IN_A_PERIOD, names.size()); i++) {
      next = (next + 1) % names.size();
      long begun = own.nanos();
      new LeaseFile(store, names.get(next)).read().ifPresent(each -> {
        long _ = own.unchangedNanos(each, begun);
      });
    }
  }
}
