package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.GuestState;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.RamDigest;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.StateMessages;
import dev.pageferry.agent.migration.source.BlackoutClock.Part;
import dev.pageferry.agent.migration.source.SourceOptions.OnStall;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.migration.MigrationStage;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.units.Durations;
import dev.pageferry.proto.migration.v1.BackToPreCopy;
import dev.pageferry.proto.migration.v1.Ready;
import java.io.IOException;
import java.time.Duration;
import java.util.OptionalDouble;

/**
 * Stage 3: pauses the guest and sends the last dirty pages, the registers and the digest of all pages, until the
 * destination says READY.
 */
final class StopAndCopy {
  private static final Duration READY_TIMEOUT = Duration.ofSeconds(60);
  /** Under a limit shorter than this a coordinator that is well would seem not to answer. */
  private static final Duration SHORTEST_BUDGET = Duration.ofMillis(200);
  /** A pause may be this many times the downtime limit, which bounds an estimate, before the guest runs again here. */
  private static final int LONGEST_PAUSE_LIMITS = 10;
  /** Connections of most clients survive this, and a network that stutters has recovered. */
  private static final Duration SHORTEST_LONGEST_PAUSE = Duration.ofSeconds(3);
  /** Pauses that may get too long, before the attempt ends. */
  private static final int MAX_LONG_PAUSES = 3;
  /** How soon an attempt that was ended is noticed while READY is waited for. */
  private static final Duration CHECKPOINT_INTERVAL = Duration.ofMillis(100);

  /** What came of a switchover. */
  enum End {
    /** The destination has everything; the guest is paused. */
    READY,
    /** The coordinator cannot be asked within the blackout that the operator allows: the guest runs again. */
    COORDINATOR_SILENT,
    /** The last pages, or the destination's READY, took too long: the guest runs again. */
    PAUSED_TOO_LONG
  }

  private final SourceSession session;
  /** Kept beyond the switchover that it was for: storage says only once that it lost something. */
  private DiskFlush lastWrites;
  private int longPauses;

  StopAndCopy(SourceSession session) {
    this.session = session;
    this.lastWrites = DiskFlush.ofNothing(session.attempt, session.scheduler);
  }

  /**
   * Unless it ends as READY the guest runs again, and pre-copy may go on.
   *
   * @throws MigrationFailure also if pauses got too long too often
   */
  End run() throws MigrationFailure, InterruptedException {
    flushAhead();
    // Answered while the last pages are on their way, so that asking costs no blackout.
    Promise<Duration> coordinator = session.ownership.prepareCommit(session.guest.spec().id(), session.migration,
        budget());
    OptionalDouble stepsDuring = session.rounds.stepsPerSecond();
    session.blackout.start();
    Deadline pauseEnd = pauseEnd();
    pause();
    // A machine is paused when its requests to disks are done, or kept for later: what it read is in RAM and marked.
    session.journal.pausedAfter(stepsDuring);
    session.failpoints.at("source.stop-and-copy.paused");
    // While the last pages are on their way, so that the release of the disks finds nothing left to flush.
    lastWrites = startFlush();
    session.rounds.harvestRest();
    session.blackout.lap(Part.PAUSE);
    if (!session.rounds.transferLast(pauseEnd, () -> runAgain("the last pages were still being sent"))) {
      return End.PAUSED_TOO_LONG;
    }
    GuestState state = guestState();
    StateParts.send(session, pauseEnd);
    session.link.send(StateMessages.toProto(state, session.rounds.lastRound(), session.checksums.digest(),
        session.guest.isPausedFor(PauseReason.OPERATOR)).toBuilder().setHashRam(session.options.verifyRam()).build());
    session.failpoints.at("source.stop-and-copy.state-sent");
    // While the destination does the same.
    String ram = session.options.verifyRam() ? RamDigest.of(session.guest.ram()) : "";
    if (!isAnsweredBy(pauseEnd)) {
      session.link.send(BackToPreCopy.getDefaultInstance());
      runAgain("the destination was not ready");
      awaitBack(true);
      return End.PAUSED_TOO_LONG;
    }
    Ready ready = session.link.receive(Ready.class, pauseEnd);
    session.blackout.lap(Part.LAST_PAGES);
    session.blackout.reassign(Part.LAST_PAGES, Part.DIGEST, ready.getDigestSeconds());
    session.blackout.reassign(Part.LAST_PAGES, Part.STATE, ready.getStateSeconds());
    session.blackout.reassign(Part.LAST_PAGES, Part.STORAGE, ready.getStorageSeconds());
    session.blackout.reassign(Part.LAST_PAGES, Part.VERIFY, ready.getVerifySeconds());
    if (session.options.verifyRam()) {
      requireSame(ram, ready.getRamSha256());
    }
    session.journal.received(ready.getBytesReceived(),
        throughput(ready));
    session.failpoints.at("source.stop-and-copy.ready");
    if (!lastWrites.isOverBy(pauseEnd)) {
      session.link.send(BackToPreCopy.getDefaultInstance());
      runAgain("what the guest wrote to its disks was still being flushed");
      awaitBack(false);
      return End.PAUSED_TOO_LONG;
    }
    session.blackout.lap(Part.STORAGE);
    if (isAnswered(coordinator)) {
      return End.READY;
    }
    session.link.send(BackToPreCopy.getDefaultInstance());
    session.guest.runOn(session.dialogue.neverAsked());
    awaitBack(false);
    return End.COORDINATOR_SILENT;
  }

  /** The guest has not run since, here or there: what the destination has would be another guest. */
  private static void requireSame(String here, String there) throws MigrationFailure {
    if (!here.equals(there)) {
      throw new MigrationFailure.Stopped(FailureCode.DATA_CORRUPTED, there.isEmpty()
          ? "the destination did not hash the guest's RAM: its agent is of a version that cannot"
          : "the guest's RAM is not the same on both hosts: sha256=%s here, %s at the destination".formatted(here,
              there));
    }
  }

  private GuestState guestState() throws MigrationFailure, InterruptedException {
    try {
      return session.guest.state();
    } catch (IOException e) {
      throw new MigrationFailure.Stopped(FailureCode.STATE_UNAVAILABLE,
          "the machine does not give its state: " + IoFailure.sentence(e));
    }
  }

  private DiskFlush startFlush() {
    return DiskFlush.start(session.guest, session.attempt, session.scheduler);
  }

  /**
   * When the guest is to run again, unless the destination is ready by then. Where the operator wants it over whatever the
   * blackout, that is the end of the attempt.
   */
  private Deadline pauseEnd() {
    Deadline attempt = session.attempt.deadline();
    SourceOptions options = session.options;
    if (options.onStall() == OnStall.SWITCH || options.verifyRam()) {
      return attempt;
    }
    if (options.downtimeLimit().compareTo(options.timeout().dividedBy(LONGEST_PAUSE_LIMITS)) >= 0) {
      return attempt;
    }
    Duration longest = options.downtimeLimit().multipliedBy(LONGEST_PAUSE_LIMITS);
    return attempt.orAfter(longest.compareTo(SHORTEST_LONGEST_PAUSE) < 0 ? SHORTEST_LONGEST_PAUSE : longest);
  }

  /** Lets the guest run again here, because its pause got too long; ends the attempt if that was so too often. */
  private void runAgain(String reason) throws MigrationFailure {
    session.guest.runOn(session.dialogue.neverAsked());
    session.journal.enter(MigrationStage.PRE_COPY);
    session.rounds.measureAnew();
    if (++longPauses == MAX_LONG_PAUSES) {
      throw new MigrationFailure.Stopped(FailureCode.STALLED,
          "%d pauses got too long, the last one after %s, when %s; see what slows the link or the destination down, raise --downtime-limit, or use --on-stall switch"
              .formatted(longPauses, Durations.format(session.blackout.secondsSoFar()), reason));
    }
  }

  /** Whether the destination says anything before the pause gets too long. */
  private boolean isAnsweredBy(Deadline pauseEnd) throws MigrationFailure, InterruptedException {
    Deadline readyEnd = session.options.onStall() == OnStall.SWITCH ? pauseEnd.orAfter(READY_TIMEOUT) : pauseEnd;
    while (!session.link.awaitNews(readyEnd.orAfter(CHECKPOINT_INTERVAL))) {
      session.attempt.checkpoint();
      if (readyEnd.hasPassed()) {
        if (session.options.onStall() == OnStall.SWITCH) {
          throw new MigrationFailure.PeerLost(FailureCode.DESTINATION_LOST,
              "the destination was not ready within %d s of the last page".formatted(READY_TIMEOUT.toSeconds()));
        }
        return false;
      }
    }
    return true;
  }

  /**
   * Waits until the destination lets further rounds in. One that reads this only behind its READY, as the version before does,
   * says READY first: nobody waits for that any more. Streams may be faster than the control stream, so no page goes before.
   */
  private void awaitBack(boolean readyMayCome) throws MigrationFailure, InterruptedException {
    session.failpoints.at("source.stop-and-copy.put-off");
    Deadline deadline = session.attempt.deadline().orAfter(READY_TIMEOUT);
    if (readyMayCome
        && session.link.receiveAny(deadline, Ready.class, BackToPreCopy.class) instanceof BackToPreCopy) {
      return;
    }
    session.link.receive(BackToPreCopy.class, deadline);
  }

  private void pause() throws MigrationFailure, InterruptedException {
    try {
      session.guest.pauseOrRunOn(PauseReason.MIGRATION);
    } catch (IOException e) {
      throw new MigrationFailure.Stopped(FailureCode.DISKS_UNAVAILABLE, IoFailure.sentence(e));
    }
  }

  /** So that what remains to be flushed while the guest is paused is small. */
  private void flushAhead() throws MigrationFailure, InterruptedException {
    lastWrites.awaitEnd();
    startFlush().awaitEnd();
  }

  /** 0 where nothing was copied: there is no time to divide by. */
  private static double throughput(Ready ready) {
    return ready.getReceiveSeconds() > 0 ? ready.getBytesReceived() / ready.getReceiveSeconds() : 0;
  }

  /** The longest pause in which the coordinator may still be asked. */
  private Duration budget() {
    Duration limit = session.options.downtimeLimit();
    return limit.compareTo(SHORTEST_BUDGET) < 0 ? SHORTEST_BUDGET : limit;
  }

  private boolean isAnswered(Promise<Duration> coordinator) throws InterruptedException {
    double left = budget().toNanos() / 1e9 - session.blackout.secondsSoFar();
    return coordinator.await(Duration.ofNanos(Math.max(0, (long) (left * 1e9)))).isPresent();
  }
}
