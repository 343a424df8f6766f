package dev.pageferry.agent.disk;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Since when hosts' leases say what they say, so that whoever waits for one to run out need not begin anew each time. A lease that reads
 * as it did before was not renewed in between: each renewal counts further. What it permitted was begun before it was first read.
 */
final class LeaseObservations {
  private record Seen(LeaseRecord lease, long sinceNanos) {
  }

  private final Map<String, Seen> seen = new ConcurrentHashMap<>();
  private final BootClock clock;

  LeaseObservations(BootClock clock) {
    this.clock = clock;
  }

  /**
   * Notes what a host's lease says.
   *
   * @param lease as it was just read
   * @return for how long it has been seen to say that, in nanoseconds; 0 for what is new
   */
  long unchangedNanos(LeaseRecord lease) {
    // After the read: a read may take long, and the renewal that it saw may have been begun during it.
    long now = clock.nanos();
    Seen since = seen.compute(lease.host(),
        (_, before) -> before != null && before.lease().equals(lease) ? before : new Seen(lease, now));
    return now - since.sinceNanos();
  }
}
