package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.source.SourceStatus.Arrival;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.CleanedUp;
import dev.pageferry.proto.report.v1.NetworkArrival;
import java.time.Duration;
import java.util.Optional;
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
    Optional<Arrival> arrival = Optional.empty();
    try {
      CleanedUp done = session.link.receive(CleanedUp.class, Deadline.after(CLEANUP_TIMEOUT, session.scheduler));
      after = done.hasGuestStepsPerSecond() ? OptionalDouble.of(done.getGuestStepsPerSecond()) : after;
      arrival = done.hasNetwork() ? Optional.of(arrival(done.getNetwork())) : arrival;
    } catch (MigrationFailure e) {
      // The VM runs there; only figures of the report are missing.
    }
    session.journal.completed(after, arrival);
  }

  private static Arrival arrival(NetworkArrival message) {
    return new Arrival(message.hasFirstFrameSeconds()
        ? OptionalDouble.of(message.getFirstFrameSeconds())
        : OptionalDouble.empty(), message.getReachedBy());
  }
}
