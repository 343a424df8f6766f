package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.memory.ChecksumTable;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.RoundReport;
import dev.pageferry.agent.migration.RoundTransfer;
import dev.pageferry.agent.migration.SourceLink;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.migration.MigrationLimits;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import java.time.Duration;
import java.util.Optional;

/**
 * The rounds of one migration: which pages are still to be sent, and one round after another.
 *
 * <p>Invariant, between rounds: a page whose newest contents the destination lacks is in {@link #pending} or in the guest's
 * dirty log. Before round 0 the destination lacks nothing of a page that was never written: it is zero there too. Where
 * disks are copied, their blocks are pages like those of RAM, see {@link dev.pageferry.agent.migration.PageSpace}.
 */
final class PageRounds {
  private static final Duration PROGRESS_INTERVAL = Duration.ofMillis(100);

  private final Guest guest;
  private final Optional<DiskMirror> mirror;
  private final SourceLink link;
  private final ChecksumTable checksums;
  private final Attempt attempt;
  private final SourceJournal journal;
  private final Ticker ticker;
  private final int streams;
  private final RateLimiter limiter;
  private final Bandwidth bandwidth;
  private final PageBitmap pending;
  private int nextRound;
  private long startNanos;
  private long startSteps;
  private long diskBlocksSent;

  /**
   * @param mirror the guest's disks, where they are copied too
   * @param checksums gets that of every page as it is sent
   */
  PageRounds(Guest guest, Optional<DiskMirror> mirror, SourceLink link, ChecksumTable checksums, SourceOptions options,
      Attempt attempt, SourceJournal journal, Ticker ticker) {
    this.guest = guest;
    this.mirror = mirror;
    this.link = link;
    this.checksums = checksums;
    this.attempt = attempt;
    this.journal = journal;
    this.ticker = ticker;
    this.streams = options.streams();
    this.limiter = new RateLimiter(options.maxBytesPerSecond(), ticker);
    this.bandwidth = new Bandwidth(link, ticker);
    this.pending = new PageBitmap(checksums.pageCount());
  }

  /** Puts every page that was ever written into the first round. */
  void start() {
    // vCPUs mark all the time. This harvest moves what they have marked so far into the ever-written set, too.
    guest.dirtyLog().harvest(pending);
    guest.dirtyLog().addEverWritten(pending);
    mirror.ifPresent(disks -> disks.addData(pending));
    startNanos = ticker.nanos();
    startSteps = guest.steps();
  }

  /** Adds what the guest wrote since the last harvest to what is still to be sent. */
  void harvest() {
    guest.dirtyLog().harvest(pending);
    mirror.ifPresent(disks -> disks.harvest(pending));
  }

  /** Bytes of disks sent since this was asked last. */
  long takeDiskBytesSent() {
    long bytes = PageSize.bytesOf(diskBlocksSent);
    diskBlocksSent = 0;
    return bytes;
  }

  /** Bytes to send before the destination has everything, those on their way included. */
  long restBytes() {
    return PageSize.bytesOf(pending.cardinality()) + link.unacknowledgedBytes();
  }

  int lastRound() {
    return nextRound - 1;
  }

  /** Of the network, see {@link Bandwidth#bytesPerSecond}. */
  double bytesPerSecond() {
    return bandwidth.bytesPerSecond();
  }

  /** A pause got too long: what was measured then, or before, says little about the next one. */
  void measureAnew() {
    bandwidth.measureAnew();
  }

  /** Guest steps per second since round 0 began. */
  double stepsPerSecond() {
    return (guest.steps() - startSteps) / Math.max(1e-9, ticker.secondsSince(startNanos));
  }

  /** Sends the pending pages as one round, while the guest runs; what it skipped, and what the guest wrote, is pending afterwards. */
  void transfer(int throttlePercent) throws MigrationFailure, InterruptedException {
    boolean unused = new Transfer(true, throttlePercent).run(attempt.deadline(), () -> {
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
    private final long bytesBefore = link.bytesSent();
    private final long startNanos = ticker.nanos();
    private final Bandwidth.Measurement measurement = bandwidth.begin();
    private final Round round;
    private final RoundWatch watch;
    private boolean guestRuns;
    private boolean overran;

    Transfer(boolean guestRuns, int throttlePercent) throws MigrationFailure {
      if (number >= MigrationLimits.MAX_ROUNDS) {
        throw new MigrationFailure.Stopped(FailureCode.STALLED,
            "%d rounds were copied, and no destination takes more".formatted(number));
      }
      this.guestRuns = guestRuns;
      this.round = new Round(number, pending, guestRuns, guest, mirror, checksums, limiter, streams);
      this.watch = new RoundWatch(round, pending.cardinality(), throttlePercent, link, journal, ticker);
    }

    /** @return whether the guest is paused at the end */
    boolean run(Deadline pauseEnd, Overrun overrun) throws MigrationFailure, InterruptedException {
      RoundTransfer transfer = link.startRound(number, round.feeds());
      while (!isOver(transfer, pauseEnd)) {
        attempt.checkpoint();
        if (!guestRuns && pauseEnd.hasPassed()) {
          guestRuns = true;
          overran = true;
          overrun.letGuestRun();
        }
        watch.report();
        watch.checkStuck(limiter.isCapped());
      }
      measurement.end(overran);
      diskBlocksSent += round.diskBlocksSent();
      pending.clear();
      pending.addAll(round.skipped());
      if (guestRuns) {
        harvest();
      }
      journal.roundDone(new RoundReport(number, round.pagesSent(), round.zeroPages(), round.skippedPages(),
          link.bytesSent() - bytesBefore, ticker.secondsSince(startNanos), pending.cardinality()));
      return !guestRuns;
    }

    private boolean isOver(RoundTransfer transfer, Deadline pauseEnd) throws MigrationFailure, InterruptedException {
      try {
        return transfer.await(guestRuns
            ? PROGRESS_INTERVAL
            : Duration.ofNanos(Math.min(PROGRESS_INTERVAL.toNanos(), pauseEnd.remainingNanos())));
      } catch (MigrationFailure e) {
        // A disk that cannot be read breaks the stream that its blocks were to go over.
        throw mirror.flatMap(DiskMirror::failure).orElse(e);
      }
    }
  }
}
