package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.source.Convergence.Measurement;
import dev.pageferry.agent.migration.source.Convergence.NextStep;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.DisksFlushed;
import dev.pageferry.proto.migration.v1.FlushDisks;
import java.time.Duration;

/** Stage 2: copies memory in rounds while the guest runs, until the rest is small enough. */
final class PreCopy {
  /** What resuming the guest at the destination costs, until it has been measured. */
  private static final double RESUME_SECONDS = 0.001;
  /** Less than this takes no time to flush while the guest is paused. */
  private static final long FEW_DISK_BYTES = 16 << 20;
  /** Between passes while a throttle does not act yet. */
  private static final Duration PACE = Duration.ofMillis(500);

  private final SourceSession session;
  private final Convergence convergence;
  private final CoordinatorProbe coordinator;
  private final Arrival arrival;
  private boolean started;
  private int throttlePercent;
  /** When figures tell whether the last throttle is enough. */
  private Deadline throttleActs;

  PreCopy(SourceSession session, CoordinatorProbe coordinator) {
    this.session = session;
    this.coordinator = coordinator;
    this.convergence = new Convergence(session.options.downtimeLimit(), session.options.onStall());
    this.arrival = new Arrival(session.rounds::bytesOnlyOnTheirWay, () -> {
      session.attempt.checkpoint();
      return session.link.isOpen();
    }, session.scheduler);
    this.throttleActs = Deadline.after(Duration.ZERO, session.scheduler);
  }

  void run() throws MigrationFailure, InterruptedException {
    if (started) {
      // Back from a switchover that was put off: what the guest wrote since is the next round.
      boolean _ = session.rounds.harvest();
    } else {
      session.rounds.start();
      started = true;
    }
    while (true) {
      long restBefore = session.rounds.restBytes();
      copyPass();
      if (arrival.await()) {
        // What the guest wrote meanwhile.
        copyPass();
      }
      StateParts.send(session, session.attempt.deadline());
      Measurement measured = new Measurement(session.rounds.lastPass(), restBefore, session.rounds.restBytes(),
          session.rounds.bytesPerSecond(),
          2 * session.link.roundTripSeconds() + coordinator.seconds() + RESUME_SECONDS);
      switch (throttleActs.hasPassed()
          ? convergence.decide(measured)
          : convergence.decideBeforeThrottleActs(measured)) {
        case NextStep.Continue() -> awaitThrottle();
        case NextStep.SwitchOver() -> {
          if (!flushFirst(measured.round())) {
            return;
          }
        }
        case NextStep.Throttle(int percent) -> {
          throttlePercent = percent;
          session.guest.throttle(percent);
          throttleActs = Deadline.after(session.guest.throttleDelay(), session.scheduler);
        }
        case NextStep.GiveUp(String reason) -> throw new MigrationFailure.Stopped(FailureCode.STALLED, reason);
      }
    }
  }

  /** Where nearly all pages are dirty again at their turn a round takes no time, and there may be only so many. */
  private void awaitThrottle() throws InterruptedException {
    if (!throttleActs.hasPassed()) {
      session.scheduler.sleep(Duration.ofNanos(throttleActs.orAfter(PACE).remainingNanos()));
    }
  }

  /** Rounds until one ends a pass: only then do figures tell whether the rest shrinks. */
  private void copyPass() throws MigrationFailure, InterruptedException {
    boolean isOver;
    do {
      session.attempt.checkpoint();
      // Asked while the round goes over, so that the answer is there when the guest is to be paused.
      coordinator.ask();
      isOver = session.rounds.transfer(throttlePercent);
      session.failpoints.at("source.pre-copy.round-done");
    } while (!isOver);
  }

  /**
   * Has the destination flush the disks that were copied, so that what remains of that for the blackout is small.
   *
   * @return whether that was needed; it takes a while, in which the guest has written, so that another round is due
   */
  private boolean flushFirst(int round) throws MigrationFailure, InterruptedException {
    if (session.rounds.takeDiskBytesSent() <= FEW_DISK_BYTES || round + 1 >= Convergence.MAX_ROUNDS) {
      return false;
    }
    session.link.send(FlushDisks.getDefaultInstance());
    session.link.receive(DisksFlushed.class, session.attempt.deadline());
    boolean _ = session.rounds.harvest();
    return true;
  }
}
