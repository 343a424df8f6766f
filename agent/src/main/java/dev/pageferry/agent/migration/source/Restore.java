package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.source.BlackoutClock.Part;
import dev.pageferry.proto.migration.v1.Ready;
import dev.pageferry.proto.migration.v1.StateSaved;

/** Quick migration, stage 4 as the source lives it: waits until the destination has read the state back and checked it. */
final class Restore {
  private final SourceSession session;

  Restore(SourceSession session) {
    this.session = session;
  }

  void run(StateSaved saved) throws MigrationFailure, InterruptedException {
    session.link.send(saved);
    // Reading takes as long as it takes; keep-alives tell whether the destination still lives.
    session.link.receive(Ready.class, session.attempt.deadline());
    session.blackout.lap(Part.STATE);
    session.failpoints.at("source.restore.ready");
  }
}
