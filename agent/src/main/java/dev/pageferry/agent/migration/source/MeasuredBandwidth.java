package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.SourceLink;
import dev.pageferry.common.time.Ticker;

/** How fast pages cross the network, by the newest round that says something about it. */
final class MeasuredBandwidth {
  /** Less than this says more about latency than about bandwidth. */
  private static final long MEASURABLE_BYTES = 16 << 20;
  /** A round that took this long tells the bandwidth however little it moved. */
  private static final double MEASURABLE_SECONDS = 0.5;

  private final SourceLink link;
  private final Ticker ticker;
  private double bytesPerSecond = Double.POSITIVE_INFINITY;
  /** The newest figure may be that of a link that halted: any round says more, however little it moves. */
  private boolean remeasuring;

  MeasuredBandwidth(SourceLink link, Ticker ticker) {
    this.link = link;
    this.ticker = ticker;
  }

  /** Infinite until there was a round to measure it by. */
  double bytesPerSecond() {
    return bytesPerSecond;
  }

  /** What was measured so far says little about the next round. */
  void measureAnew() {
    remeasuring = true;
  }

  /** A round begins. */
  Measurement begin() {
    return new Measurement();
  }

  /** One round. */
  final class Measurement {
    private final long startNanos = ticker.nanos();
    private final long acknowledgedBefore = link.acknowledgedBytes();

    /**
     * The round is over.
     *
     * @param halted whether the link halted in it
     */
    void end(boolean halted) {
      double seconds = ticker.secondsSince(startNanos);
      // What the socket buffers swallowed has not crossed the network yet: only acknowledged bytes tell its speed.
      long acknowledged = link.acknowledgedBytes() - acknowledgedBefore;
      boolean measurable = acknowledged >= MEASURABLE_BYTES || seconds >= MEASURABLE_SECONDS;
      if (acknowledged > 0 && (measurable || remeasuring)) {
        bytesPerSecond = acknowledged / seconds;
        remeasuring &= halted || !measurable;
      }
    }
  }
}
