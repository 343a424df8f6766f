package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.disk.DiskSet;
import dev.pageferry.agent.guest.GuestState;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.SpecMessages;
import dev.pageferry.agent.migration.source.BlackoutClock.Part;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.stage.FailureCode;
import dev.pageferry.proto.migration.v1.BackToPreCopy;
import dev.pageferry.proto.migration.v1.Ready;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/**
 * Stage 3: pauses the guest and sends the last dirty pages, the registers and the digest of all pages, until the
 * destination says READY.
 */
final class StopAndCopy {
  private static final Duration READY_TIMEOUT = Duration.ofSeconds(60);
  /** Under a limit shorter than this a coordinator that is well would seem not to answer. */
  private static final Duration SHORTEST_BUDGET = Duration.ofMillis(200);

  private final SourceSession session;

  StopAndCopy(SourceSession session) {
    this.session = session;
  }

  /**
   * @return false if the coordinator cannot be asked within the blackout that the operator allows: the guest runs again,
   *     and pre-copy goes on
   */
  boolean run() throws MigrationFailure, InterruptedException {
    flushAhead();
    // Answered while the last pages are on their way, so that asking costs no blackout.
    Promise<Duration> coordinator = session.ownership.probe(budget());
    double stepsDuring = session.rounds.stepsPerSecond();
    session.blackout.start();
    pause();
    // A vCPU stands only between disk steps: what it asked of a disk is done, and what it read is in RAM and marked.
    session.journal.pausedAfter(stepsDuring);
    session.failpoints.at("source.stop-and-copy.paused");
    session.rounds.harvest();
    session.blackout.lap(Part.PAUSE);
    session.rounds.transfer(false, 0);
    GuestState state = session.guest.state();
    session.link.send(SpecMessages.toProto(state, session.rounds.lastRound(), session.checksums.digest(),
        session.guest.isPausedFor(PauseReason.OPERATOR)));
    session.failpoints.at("source.stop-and-copy.state-sent");
    Ready ready = session.link.receive(Ready.class, session.attempt.deadline().orAfter(READY_TIMEOUT));
    session.blackout.lap(Part.LAST_PAGES);
    session.blackout.reassign(Part.LAST_PAGES, Part.DIGEST, ready.getDigestSeconds());
    session.blackout.reassign(Part.LAST_PAGES, Part.STATE, ready.getStateSeconds());
    session.blackout.reassign(Part.LAST_PAGES, Part.STORAGE, ready.getStorageSeconds());
    session.journal.received(ready.getBytesReceived(),
        throughput(ready));
    session.failpoints.at("source.stop-and-copy.ready");
    if (isAnswered(coordinator)) {
      return true;
    }
    session.link.send(BackToPreCopy.getDefaultInstance());
    session.guest.runOn(session.dialogue.neverAsked());
    session.link.receive(BackToPreCopy.class, session.attempt.deadline().orAfter(READY_TIMEOUT));
    return false;
  }

  private void pause() throws MigrationFailure, InterruptedException {
    try {
      session.guest.pauseOrRunOn(PauseReason.MIGRATION);
    } catch (IOException e) {
      throw new MigrationFailure.Stopped(FailureCode.DISKS_UNAVAILABLE, String.valueOf(e.getMessage()));
    }
  }

  /** So that what remains to be flushed while the guest stands is small. */
  private void flushAhead() throws MigrationFailure {
    Optional<DiskSet> disks = session.guest.disks();
    if (disks.isPresent()) {
      session.attempt.uninterrupted(disks.get()::flush);
    }
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
