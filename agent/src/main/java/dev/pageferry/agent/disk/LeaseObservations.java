package dev.pageferry.agent.disk;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Since when hosts' leases say what they say, so that whoever waits for one to run out need not begin anew each time. A lease that reads
 * as it did before was not renewed in between, since each renewal counts further. All that the host may do by it, it may do by a renewal that
 * was begun before the lease was first read like that, and for the lease's duration from then on.
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
   * @param begunNanos on the clock, before it was read
   * @return for how long it is known to have said that, in nanoseconds; 0 for what is new
   */
  long unchangedNanos(LeaseRecord lease, long begunNanos) {
    // A read may take long, and may show what was written at its end: it says what is only until it began, and since when only from its end.
    long now = clock.nanos();
    Seen since = seen.compute(lease.host(),
        (_, before) -> before != null && before.lease().equals(lease) ? before : new Seen(lease, now));
    return Math.max(0, begunNanos - since.sinceNanos());
  }

  /** Whether a host's lease was noted. */
  boolean hasSeen(String host) {
    return seen.containsKey(host);
  }
}
