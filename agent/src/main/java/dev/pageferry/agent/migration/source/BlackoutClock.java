package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.BlackoutReport;
import dev.pageferry.common.time.Ticker;
import java.util.EnumMap;
import java.util.Map;

/** Times the parts of the blackout that the source can see, one lap after another. */
final class BlackoutClock {
  /** As {@link BlackoutReport} has them; the rest the destination measures. */
  enum Part {
    PAUSE,
    LAST_PAGES,
    STATE,
    DIGEST,
    VERIFY,
    STORAGE,
    COMMIT
  }

  private final Ticker ticker;
  private final Map<Part, Double> seconds = new EnumMap<>(Part.class);
  private long startNanos;
  private long lapNanos;

  BlackoutClock(Ticker ticker) {
    this.ticker = ticker;
  }

  /** The guest is asked to pause. */
  void start() {
    seconds.clear();
    startNanos = ticker.nanos();
    lapNanos = startNanos;
  }

  /** What has passed since the lap before was this part. */
  void lap(Part part) {
    long now = ticker.nanos();
    seconds.merge(part, (now - lapNanos) / 1e9, Double::sum);
    lapNanos = now;
  }

  /** So much of the lap that ended as one part was another, by the destination's word. */
  void reassign(Part from, Part to, double partSeconds) {
    double moved = Math.clamp(partSeconds, 0, of(from));
    seconds.merge(from, -moved, Double::sum);
    seconds.merge(to, moved, Double::sum);
  }

  /** Seconds since the guest was asked to pause. */
  double secondsSoFar() {
    return ticker.secondsSince(startNanos);
  }

  /**
   * The parts, which add up. Called when RUNNING has come: from GO, the end of the last lap, until then passed one round
   * trip and the destination's resume.
   */
  BlackoutReport report(double resumeSeconds) {
    double roundTripSeconds = Math.max(0, ticker.secondsSince(lapNanos) - resumeSeconds);
    return new BlackoutReport(of(Part.PAUSE), of(Part.LAST_PAGES), of(Part.STATE), of(Part.DIGEST), of(Part.STORAGE),
        of(Part.COMMIT), roundTripSeconds / 2, resumeSeconds, of(Part.VERIFY));
  }

  private double of(Part part) {
    return seconds.getOrDefault(part, 0.0);
  }
}
