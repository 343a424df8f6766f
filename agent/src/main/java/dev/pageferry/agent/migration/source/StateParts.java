package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.GuestState;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.StateMessages;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.StateAheadTaken;
import java.io.IOException;
import java.util.List;

/** Parts of the guest's state that go ahead of the rest. */
final class StateParts {
  private StateParts() {
  }

  /** Sends those that are new. */
  static void send(SourceSession session, Deadline deadline) throws MigrationFailure, InterruptedException {
    List<GuestState> parts;
    try {
      parts = session.guest.stateAhead();
    } catch (IOException e) {
      throw new MigrationFailure.Stopped(FailureCode.STATE_UNAVAILABLE,
          "the machine does not give a part of its state: " + IoFailure.sentence(e));
    }
    for (GuestState part : parts) {
      session.link.send(StateMessages.toAhead(part));
      // One at a time: they are large, and a destination takes so much and no more.
      session.link.receive(StateAheadTaken.class, deadline);
    }
  }
}
