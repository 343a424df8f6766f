package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.source.BlackoutClock.Part;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.Go;
import dev.pageferry.proto.migration.v1.Running;
import java.time.Duration;

/** Stage 5: tells the destination to go, and hears that the guest runs there. */
final class Activation {
  private static final Duration RUNNING_TIMEOUT = Duration.ofSeconds(30);

  private final SourceSession session;

  Activation(SourceSession session) {
    this.session = session;
  }

  /** @throws MigrationFailure if the destination does not report; it may run the guest all the same */
  void run(long committedEpoch) throws MigrationFailure, InterruptedException {
    // Ahead of GO, so that this host's switch has let go of the VM's addresses when it hears that they are there.
    session.guest.handOverNetwork(session.destinationHost);
    session.link.send(Go.newBuilder().setEpoch(committedEpoch).build());
    session.blackout.lap(Part.COMMIT);
    session.failpoints.at("source.activation.go-sent");
    Running running = session.link.receive(Running.class, Deadline.after(RUNNING_TIMEOUT, session.scheduler));
    session.journal.guestRunsAtDestination(session.blackout.report(running.getResumeSeconds()),
        session.link.bytesSent());
  }
}
