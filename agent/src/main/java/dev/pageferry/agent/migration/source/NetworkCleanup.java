package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.CleanedUp;
import java.time.Duration;
import java.util.OptionalDouble;

/** Stage 6: the destination announces the VM; the source hears how the guest runs there and is done. */
final class NetworkCleanup {
  private static final Duration CLEANUP_TIMEOUT = Duration.ofSeconds(5);

  private final SourceSession session;

  NetworkCleanup(SourceSession session) {
    this.session = session;
  }

  void run() throws InterruptedException {
    OptionalDouble after = OptionalDouble.empty();
    try {
      CleanedUp done = session.link.receive(CleanedUp.class, Deadline.after(CLEANUP_TIMEOUT, session.ticker));
      after = done.hasGuestStepsPerSecond() ? OptionalDouble.of(done.getGuestStepsPerSecond()) : after;
    } catch (MigrationFailure e) {
      // The VM runs there; only a figure of the report is missing.
    }
    session.journal.completed(after);
  }
}
