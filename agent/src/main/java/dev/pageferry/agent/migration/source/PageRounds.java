package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.RoundReport;
import dev.pageferry.agent.migration.RoundTransfer;
import dev.pageferry.agent.migration.source.SourceStatus.Progress;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.stage.FailureCode;
import dev.pageferry.common.stage.MigrationLimits;
import dev.pageferry.common.time.Deadline;
import java.time.Duration;
import java.util.OptionalDouble;

/**
 * The rounds of one migration: which pages are still to be sent, how fast they go, and one round after another.
 *
 * <p>Invariant, between rounds: a page whose newest contents the destination lacks is in {@link #pending} or in the guest's
 * dirty log. Before round 0 the destination lacks nothing of a page that was never written: it is zero there too. Where
 * disks are copied, their blocks are pages like those of RAM, see {@link dev.pageferry.agent.migration.PageSpace}.
 */
final class PageRounds {
  private static final Duration PROGRESS_INTERVAL = Duration.ofMillis(100);
  /** Less than this says more about latency than about bandwidth. */
  private static final long MEASURABLE_BYTES = 16 << 20;
  /** A round that took this long tells the bandwidth however little it moved. */
  private static final double MEASURABLE_SECONDS = 0.5;
  /** A data stream that takes nothing for so long is broken, however well the control stream is. */
  private static final Duration STUCK = Duration.ofSeconds(10);
  /** Where disks are copied the streams wait for those, too: the source's to be read and the destination's to be written. */
  private static final Duration STUCK_WITH_DISKS = Duration.ofSeconds(60);

  private final SourceSession session;
  private final RateLimiter limiter;
  private final PageBitmap pending;
  private int nextRound;
  private long startNanos;
  private long startSteps;
  private long diskBlocksSent;
  private double bytesPerSecond = Double.POSITIVE_INFINITY;
  /** The newest figure may be that of a link that halted: any round says more, however little it moves. */
  private boolean remeasuring;

  PageRounds(SourceSession session, RateLimiter limiter, PageBitmap pending) {
    this.session = session;
    this.limiter = limiter;
    this.pending = pending;
  }

  /** Puts every page that was ever written into the first round. */
  void start() {
    // This harvest is what switches the log on: marks made before it are in the ever-written set once it returns.
    session.guest.dirtyLog().harvest(pending);
    session.guest.dirtyLog().addEverWritten(pending);
    session.mirror.ifPresent(mirror -> mirror.addData(pending));
    startNanos = session.ticker.nanos();
    startSteps = session.guest.steps();
  }

  /** Adds what the guest wrote since the last harvest to what is still to be sent. */
  void harvest() {
    session.guest.dirtyLog().harvest(pending);
    session.mirror.ifPresent(mirror -> mirror.harvest(pending));
  }

  /** Bytes of disks sent since this was asked last. */
  long takeDiskBytesSent() {
    long bytes = PageSize.bytesOf(diskBlocksSent);
    diskBlocksSent = 0;
    return bytes;
  }

  /** Bytes to send before the destination has everything, those on their way included. */
  long restBytes() {
    return PageSize.bytesOf(pending.cardinality()) + session.link.unacknowledgedBytes();
  }

  int lastRound() {
    return nextRound - 1;
  }

  double bytesPerSecond() {
    return bytesPerSecond;
  }

  /** A pause got too long: what was measured then, or before, says little about the next one. */
  void measureAnew() {
    remeasuring = true;
  }

  /** Guest steps per second since round 0 began. */
  double stepsPerSecond() {
    return (session.guest.steps() - startSteps) / Math.max(1e-9, session.ticker.secondsSince(startNanos));
  }

  /** Sends the pending pages as one round, while the guest runs; what it skipped, and what the guest wrote, is pending afterwards. */
  void transfer(int throttlePercent) throws MigrationFailure, InterruptedException {
    boolean unused = new Transfer(true, throttlePercent).run(session.attempt.deadline(), () -> {
    });
  }

  /** What lets the guest run again while pages are on their way. */
  interface Overrun {
    void letGuestRun() throws MigrationFailure;
  }

  /**
   * Sends the pending pages while the guest is paused, and skips none. If the pause gets too long the guest runs again at once,
   * and this round goes on as one like any other. That is right without calling anything back: the pages were harvested before
   * they are copied, what the guest writes from then on is marked for the harvest that follows, and the checksums are those of
   * what was sent. A page that was copied while the guest wrote it is marked, too, and sent again.
   *
   * @param pauseEnd when the pause is too long
   * @return whether the guest is still paused, and the destination is sent all that it lacked
   */
  boolean transferLast(Deadline pauseEnd, Overrun overrun) throws MigrationFailure, InterruptedException {
    return new Transfer(false, 0).run(pauseEnd, overrun);
  }

  /** One round on its way. */
  private final class Transfer {
    private final int number = nextRound++;
    private final int throttlePercent;
    private final long roundPages = pending.cardinality();
    private final long bytesBefore = session.link.bytesSent();
    private final long acknowledgedBefore = session.link.acknowledgedBytes();
    private final long startNanos = session.ticker.nanos();
    private final Round round;
    private boolean guestRuns;
    private boolean overran;

    Transfer(boolean guestRuns, int throttlePercent) throws MigrationFailure {
      if (number >= MigrationLimits.MAX_ROUNDS) {
        throw new MigrationFailure.Stopped(FailureCode.STALLED,
            "%d rounds were copied, and no destination takes more".formatted(number));
      }
      this.guestRuns = guestRuns;
      this.throttlePercent = throttlePercent;
      this.round = new Round(number, pending, guestRuns, session.guest, session.mirror, session.checksums, limiter,
          session.options.streams());
    }

    /** @return whether the guest is paused at the end */
    boolean run(Deadline pauseEnd, Overrun overrun) throws MigrationFailure, InterruptedException {
      RoundTransfer transfer = session.link.startRound(number, round.feeds());
      ProgressMeter meter = new ProgressMeter(round, roundPages, throttlePercent);
      while (!isOver(transfer, pauseEnd)) {
        session.attempt.checkpoint();
        if (!guestRuns && pauseEnd.hasPassed()) {
          guestRuns = true;
          overran = true;
          overrun.letGuestRun();
        }
        meter.report();
        meter.checkStuck();
      }
      measure();
      pending.clear();
      pending.addAll(round.skipped());
      if (guestRuns) {
        harvest();
      }
      session.journal.roundDone(new RoundReport(number, round.pagesSent(), round.zeroPages(), round.skippedPages(),
          session.link.bytesSent() - bytesBefore, session.ticker.secondsSince(startNanos), pending.cardinality()));
      return !guestRuns;
    }

    private boolean isOver(RoundTransfer transfer, Deadline pauseEnd) throws MigrationFailure, InterruptedException {
      try {
        return transfer.await(guestRuns
            ? PROGRESS_INTERVAL
            : Duration.ofNanos(Math.min(PROGRESS_INTERVAL.toNanos(), pauseEnd.remainingNanos())));
      } catch (MigrationFailure e) {
        // A disk that cannot be read breaks the stream that its blocks were to go over.
        throw session.mirror.flatMap(DiskMirror::failure).orElse(e);
      }
    }

    private void measure() {
      diskBlocksSent += round.diskBlocksSent();
      double seconds = session.ticker.secondsSince(startNanos);
      // What the socket buffers swallowed has not crossed the network yet: only acknowledged bytes tell its speed.
      long acknowledged = session.link.acknowledgedBytes() - acknowledgedBefore;
      boolean measurable = acknowledged >= MEASURABLE_BYTES || seconds >= MEASURABLE_SECONDS;
      if (acknowledged > 0 && (measurable || remeasuring)) {
        bytesPerSecond = acknowledged / seconds;
        remeasuring &= overran || !measurable;
      }
    }
  }

  /** Tells the journal about a round while it runs. */
  private final class ProgressMeter {
    private final Round round;
    private final long pages;
    private final int throttlePercent;
    private long lastNanos = session.ticker.nanos();
    private long lastBytes = session.link.bytesSent();
    private long lastQueued = queuedBytes();
    private long lastMoveNanos = lastNanos;
    private final Duration patience = session.mirror.isPresent() ? STUCK_WITH_DISKS : STUCK;

    ProgressMeter(Round round, long pages, int throttlePercent) {
      this.round = round;
      this.pages = pages;
      this.throttlePercent = throttlePercent;
    }

    private long queuedBytes() {
      return session.link.acknowledgedBytes() + session.link.unacknowledgedBytes();
    }

    /** A capped stream may rightly be still between two frames; an uncapped one may not. */
    void checkStuck() throws MigrationFailure {
      if (queuedBytes() != lastQueued || session.options.maxBytesPerSecond() > 0) {
        lastQueued = queuedBytes();
        lastMoveNanos = session.ticker.nanos();
      } else if (session.ticker.nanos() - lastMoveNanos > patience.toNanos()) {
        throw new MigrationFailure.PeerLost(FailureCode.DESTINATION_LOST,
            "the data streams took nothing for %d s in round %d".formatted(patience.toSeconds(), round.number()));
      }
    }

    void report() {
      long now = session.ticker.nanos();
      long bytes = session.link.bytesSent();
      double rate = (bytes - lastBytes) * 1e9 / Math.max(1, now - lastNanos);
      lastNanos = now;
      lastBytes = bytes;
      long rest = PageSize.bytesOf(Math.max(0, pages - round.pagesDone()));
      OptionalDouble expected = rate > 0 ? OptionalDouble.of(rest / rate) : OptionalDouble.empty();
      // Round 0 is nearly all of the work; later rounds only ever shrink what is left of the bar.
      double ofRound = pages == 0 ? 1 : (double) round.pagesDone() / pages;
      double done = round.number() == 0 ? 0.9 * ofRound : 1 - 0.1 * Math.pow(0.5, round.number() - 1 + ofRound);
      session.journal.progress(new Progress(round.number(), rest, rate, expected, throttlePercent, done));
    }
  }
}
