package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.migration.MigrationStage;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.Ready;
import dev.pageferry.proto.migration.v1.StateSaved;
import java.time.Duration;

/** Quick migration: all of it through a file on shared storage. */
final class ArrivingFile implements Contents {
  /** The link's keep-alive ends the wait for a silent source long before. */
  private static final Duration SAVING_TIMEOUT = Duration.ofHours(24);

  private final DestinationSession session;
  private final IncomingGuest guest;

  ArrivingFile(DestinationSession session, IncomingGuest guest) {
    this.session = session;
    this.guest = guest;
  }

  @Override
  public Ready await() throws MigrationFailure, InterruptedException {
    StateSaved saved = session.link().receive(StateSaved.class,
        Deadline.after(SAVING_TIMEOUT, session.environment().ticker()));
    session.enter(MigrationStage.RESTORE);
    return new Restore(session, guest).run(saved);
  }

  @Override
  public void reopen() throws MigrationFailure {
    throw new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION,
        "the source speaks of pre-copy in a quick migration");
  }

  @Override
  public void end() {
    // The file is the source's.
  }

  @Override
  public void giveMemoryBack() {
    // Nothing was kept.
  }
}
