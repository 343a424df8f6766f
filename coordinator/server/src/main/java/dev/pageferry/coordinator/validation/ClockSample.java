package dev.pageferry.coordinator.validation;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.HostInspector;
import dev.pageferry.coordinator.validation.ClusterLook.ClockLook;
import dev.pageferry.proto.agent.v1.Clocks;
import java.util.Optional;

/**
 * The clocks of a host at a moment of the coordinator's, as NTP finds it (RFC 5905, 8): in the middle of a question and its answer, give or
 * take half of what both took.
 *
 * @param ownNanos the moment, on the coordinator's monotonic clock
 * @param bootNanos of the host's clock since its boot
 * @param aheadSeconds of its time of day
 * @param halfSeconds of the question and its answer
 */
record ClockSample(long ownNanos, long bootNanos, double aheadSeconds, double halfSeconds) {
  private static final int QUESTIONS = 4;

  /** The closest of a few; empty: the host does not answer. */
  static Optional<ClockSample> take(HostInspector inspector, String address, Scheduler scheduler) {
    ClockSample best = null;
    for (int i = 0; i < QUESTIONS; i++) {
      try {
        double wallBefore = scheduler.wallMillis() / 1e3;
        long before = scheduler.nanos();
        Clocks clocks = inspector.clocks(address);
        double half = scheduler.secondsSince(before) / 2;
        ClockSample sample = new ClockSample(before + (long) (half * 1e9), clocks.getBootNanos(),
            clocks.getWallMicros() / 1e6 - (wallBefore + half), half);
        best = best == null || sample.halfSeconds < best.halfSeconds ? sample : best;
      } catch (AgentException e) {
        return Optional.ofNullable(best);
      }
    }
    return Optional.ofNullable(best);
  }

  /** What this and a later sample say together. */
  ClockLook until(ClockSample later) {
    double own = (later.ownNanos - ownNanos) / 1e9;
    double theirs = (later.bootNanos - bootNanos) / 1e9;
    double uncertainty = (halfSeconds + later.halfSeconds) / own;
    return new ClockLook(later.aheadSeconds, later.halfSeconds, theirs / own - 1, uncertainty);
  }
}
