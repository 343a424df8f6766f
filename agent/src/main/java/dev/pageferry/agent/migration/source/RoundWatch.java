package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.SourceLink;
import dev.pageferry.agent.migration.source.SourceStatus.Progress;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.time.Ticker;
import java.time.Duration;
import java.util.OptionalDouble;

/** Watches a round on its way: tells the journal how far it is, and notices streams that take nothing any more. */
final class RoundWatch {
  /** A data stream that takes nothing for so long is broken, however well the control stream is. */
  private static final Duration STUCK = Duration.ofSeconds(10);
  /** Where disks are copied the streams wait for those, too: the source's to be read and the destination's to be written. */
  private static final Duration STUCK_WITH_DISKS = Duration.ofSeconds(60);

  private final Round round;
  private final long pages;
  private final Passes passes;
  private final int throttlePercent;
  private final SourceLink link;
  private final SourceJournal journal;
  private final Ticker ticker;
  private final Duration patience;
  private long lastNanos;
  private long lastBytes;
  private long lastQueued;
  private long lastMoveNanos;

  /** @param pages of the round, and of those that follow it in its pass as far as they are known */
  RoundWatch(Round round, long pages, Passes passes, int throttlePercent, SourceLink link, SourceJournal journal,
      Ticker ticker) {
    this.round = round;
    this.pages = pages;
    this.passes = passes;
    this.throttlePercent = throttlePercent;
    this.link = link;
    this.journal = journal;
    this.ticker = ticker;
    this.patience = round.hasDisks() ? STUCK_WITH_DISKS : STUCK;
    this.lastNanos = ticker.nanos();
    this.lastBytes = link.bytesSent();
    this.lastQueued = queuedBytes();
    this.lastMoveNanos = lastNanos;
  }

  private long queuedBytes() {
    return link.acknowledgedBytes() + link.unacknowledgedBytes();
  }

  /**
   * Ends a round that does not move.
   *
   * @param isCapped a capped stream may rightly be still between two frames; an uncapped one may not
   */
  void checkStuck(boolean isCapped) throws MigrationFailure {
    if (queuedBytes() != lastQueued || isCapped) {
      lastQueued = queuedBytes();
      lastMoveNanos = ticker.nanos();
    } else if (ticker.nanos() - lastMoveNanos > patience.toNanos()) {
      throw new MigrationFailure.PeerLost(FailureCode.DESTINATION_LOST,
          "the data streams took nothing for %d s in round %d".formatted(patience.toSeconds(), round.number()));
    }
  }

  void report() {
    long now = ticker.nanos();
    long bytes = link.bytesSent();
    double rate = (bytes - lastBytes) * 1e9 / Math.max(1, now - lastNanos);
    lastNanos = now;
    lastBytes = bytes;
    long restPages = Math.max(0, pages - round.pagesDone());
    long rest = PageSize.bytesOf(restPages);
    OptionalDouble expected = rate > 0 ? OptionalDouble.of(rest / rate) : OptionalDouble.empty();
    double done = passes.done(restPages);
    journal.progress(new Progress(round.number(), rest, rate, expected, throttlePercent, done));
  }
}
