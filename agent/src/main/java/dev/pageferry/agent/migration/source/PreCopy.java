package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.source.Convergence.Decision;
import dev.pageferry.agent.migration.source.Convergence.Measurement;
import dev.pageferry.common.stage.FailureCode;

/** Stage 2: copies memory in rounds while the guest runs, until the rest is small enough. */
final class PreCopy {
  /** What resuming the guest at the destination costs, until it has been measured. */
  private static final double RESUME_SECONDS = 0.001;

  private final SourceSession session;
  private final Convergence convergence;
  private boolean started;

  PreCopy(SourceSession session) {
    this.session = session;
    this.convergence = new Convergence(session.options.downtimeLimit(), session.options.onStall());
  }

  /**
   * @param commitSeconds measured time of a question to the coordinator
   */
  void run(double commitSeconds) throws MigrationFailure, InterruptedException {
    if (!started) {
      session.rounds.start();
      started = true;
    }
    int throttlePercent = 0;
    while (true) {
      session.attempt.checkpoint();
      long restBefore = session.rounds.restBytes();
      session.rounds.transfer(true, throttlePercent);
      session.failpoints.at("source.pre-copy.round-done");
      Measurement measured = new Measurement(session.rounds.lastRound(), restBefore, session.rounds.restBytes(),
          session.rounds.bytesPerSecond(), 2 * session.link.roundTripSeconds() + commitSeconds + RESUME_SECONDS);
      switch (convergence.decide(measured)) {
        case Decision.Continue() -> {
        }
        case Decision.SwitchOver() -> {
          return;
        }
        case Decision.Throttle(int percent) -> {
          throttlePercent = percent;
          session.guest.throttle(percent);
        }
        case Decision.GiveUp(String reason) -> throw new MigrationFailure.Stopped(FailureCode.STALLED, reason);
      }
    }
  }
}
