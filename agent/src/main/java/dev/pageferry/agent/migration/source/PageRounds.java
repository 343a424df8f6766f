package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.PageSource;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.memory.ChecksumTable;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.RoundReport;
import dev.pageferry.agent.migration.RoundTransfer;
import dev.pageferry.agent.migration.SourceLink;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.migration.MigrationLimits;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/**
 * The rounds of one migration: which pages are still to be sent, and one round after another.
 *
 * <p>Invariant, between rounds: a page whose newest contents the destination lacks is in {@link #pending} or still to be handed
 * over by the guest's {@link PageSource}. Before round 0 the destination lacks nothing of a page that was never written: it is
 * zero there too. Where disks are copied, their blocks are pages like those of RAM, see
 * {@link dev.pageferry.agent.migration.PageSpace}.
 */
final class PageRounds implements AutoCloseable {
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
  private final MeasuredBandwidth bandwidth;
  private final PageBitmap pending;
  private @Nullable PageSource source;
  private int nextRound;
  private final Passes passes = new Passes();
  /** The guest is paused, and {@link #pending} is all that the destination lacks. */
  private boolean restIsPending;
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
    this.bandwidth = new MeasuredBandwidth(link, ticker);
    this.pending = new PageBitmap(checksums.pageCount());
  }

  /** Puts into the first round every page that may hold something else than zeros, as far as the machine knows them. */
  void start() throws MigrationFailure, InterruptedException {
    try {
      source = guest.openPages();
      source.begin(pending);
    } catch (IOException e) {
      throw lost(e);
    }
    mirror.ifPresent(disks -> disks.addData(pending));
    startNanos = ticker.nanos();
    startSteps = Replayable.stepsOf(guest);
    if (pending.isEmpty()) {
      boolean _ = harvest();
    }
    passes.begin(pendingPages());
  }

  /**
   * Adds what the guest wrote to what is still to be sent. Where its machine takes its time to find that, waits until there is
   * something to send, or the link is known to be broken: the round that follows says so.
   *
   * @return whether a pass is over
   */
  boolean harvest() throws MigrationFailure, InterruptedException {
    boolean passIsOver = harvestNow();
    while (!passIsOver && pending.isEmpty() && link.isOpen()) {
      attempt.checkpoint();
      passIsOver = harvestNow();
    }
    return passIsOver;
  }

  private boolean harvestNow() throws MigrationFailure, InterruptedException {
    mirror.ifPresent(disks -> disks.harvest(pending));
    try {
      return source().harvest(pending);
    } catch (IOException e) {
      throw lost(e);
    }
  }

  /** Adds what the paused guest has left to be sent, or, where its machine takes its time to find that, a part of it. */
  void harvestRest() throws MigrationFailure, InterruptedException {
    mirror.ifPresent(disks -> disks.harvest(pending));
    try {
      restIsPending = source().harvestRest(pending);
    } catch (IOException e) {
      throw lost(e);
    }
  }

  private PageSource source() {
    return Objects.requireNonNull(source, "not started");
  }

  private static MigrationFailure lost(IOException cause) {
    return new MigrationFailure.Stopped(FailureCode.STATE_UNAVAILABLE,
        "the machine does not say what is to be sent: " + IoFailure.sentence(cause));
  }

  /** To be sent, whether the machine has handed it over or not. */
  private long pendingPages() {
    return pending.cardinality() + source().waitingPages();
  }

  /** Bytes of disks sent since this was asked last. */
  long takeDiskBytesSent() {
    long bytes = PageSize.bytesOf(diskBlocksSent);
    diskBlocksSent = 0;
    return bytes;
  }

  /** Bytes to send before the destination has everything, those on their way included. */
  long restBytes() {
    return PageSize.bytesOf(pendingPages()) + link.unacknowledgedBytes();
  }

  /** Of that, bytes on their way, where next to nothing else is left; else 0. */
  long bytesOnlyOnTheirWay() {
    return PageSize.bytesOf(pendingPages()) <= Convergence.FEW_BYTES ? link.unacknowledgedBytes() : 0;
  }

  int lastRound() {
    return nextRound - 1;
  }

  /** Of the last pass, from 0. */
  int lastPass() {
    return passes.over() - 1;
  }

  /**
   * Of the network, see {@link MeasuredBandwidth#bytesPerSecond}, up to its cap, or of the machine, where that is slower and pages wait
   * there.
   */
  double bytesPerSecond() {
    double network = Math.min(bandwidth.bytesPerSecond(), limiter.bytesPerSecond());
    return source().waitingPages() == 0
        ? network
        : Math.min(network, source().pagesPerSecond() * PageSize.BYTES);
  }

  /** A pause got too long: what was measured then, or before, says little about the next one. */
  void measureAnew() {
    bandwidth.measureAnew();
  }

  /** Guest steps per second since round 0 began; empty if the guest counts none. */
  OptionalDouble stepsPerSecond() {
    double seconds = Math.max(1e-9, ticker.secondsSince(startNanos));
    return guest.replayable().map(each -> OptionalDouble.of((each.steps() - startSteps) / seconds))
        .orElse(OptionalDouble.empty());
  }

  /**
   * Sends the pending pages as one round, while the guest runs; what it skipped, and what the guest wrote, is pending afterwards.
   *
   * @return whether a pass is over, so that the figures tell how it goes
   */
  boolean transfer(int throttlePercent) throws MigrationFailure, InterruptedException {
    int before = passes.over();
    boolean _ = new Transfer(true, throttlePercent).run(attempt.deadline(), () -> {
    });
    return passes.over() > before;
  }

  /** What lets the guest run again while pages are on their way. */
  interface Overrun {
    void letGuestRun() throws MigrationFailure;
  }

  /**
   * Sends the pending pages while the guest is paused, and skips none; after {@link #harvestRest}. If the pause gets too long
   * the guest runs again at once, and this round goes on as one like any other. That is right without calling anything back: the
   * pages were harvested before they are copied, what the guest writes from then on is marked for the harvest that follows, and
   * the checksums are those of what was sent. A page that was copied while the guest wrote it is marked, too, and sent again.
   *
   * @param pauseEnd when the pause is too long
   * @return whether the guest is still paused, and the destination is sent all that it lacked
   */
  boolean transferLast(Deadline pauseEnd, Overrun overrun) throws MigrationFailure, InterruptedException {
    while (new Transfer(false, 0).run(pauseEnd, overrun)) {
      if (restIsPending) {
        passes.end(0);
        return true;
      }
      harvestRest();
      while (!restIsPending && pending.isEmpty() && link.isOpen()) {
        attempt.checkpoint();
        if (pauseEnd.hasPassed()) {
          overrun.letGuestRun();
          return false;
        }
        harvestRest();
      }
    }
    return false;
  }

  @Override
  public void close() {
    if (source != null) {
      source.close();
    }
  }

  /** One round on its way. */
  private final class Transfer {
    private final int number = nextRound++;
    private final long bytesBefore = link.bytesSent();
    private final long startNanos = ticker.nanos();
    private final MeasuredBandwidth.Measurement measurement = bandwidth.begin();
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
      this.round = new Round(number, pending, guestRuns, guest.ram(), source(), mirror, checksums, limiter, streams);
      this.watch = new RoundWatch(round, pendingPages(), passes, throttlePercent, link, journal, ticker);
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
      if (guestRuns && harvest()) {
        passes.end(pendingPages());
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
