package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.source.BlackoutClock.Part;
import dev.pageferry.agent.ownership.Ruling;

/**
 * Stage 4: releases the VM's disks and asks the coordinator to commit. From the first question on the guest stays paused
 * until there is an answer.
 */
final class StorageHandoff {
  private final SourceSession session;

  StorageHandoff(SourceSession session) {
    this.session = session;
  }

  /** @throws MigrationFailure only before the first question */
  Ruling.Final run() throws MigrationFailure, InterruptedException {
    releaseDisks();
    return commit();
  }

  /** @throws MigrationFailure if they cannot be; they are closed all the same, and opened again by the rollback */
  void releaseDisks() throws MigrationFailure, InterruptedException {
    // Drained by the pause; in a live move nothing is left to flush.
    session.attempt.uninterrupted(() -> session.guest.releaseDisks(session.migration.value()));
    session.blackout.lap(Part.STORAGE);
    session.failpoints.at("source.storage-handoff.released");
  }

  /** @throws MigrationFailure only before the first question */
  Ruling.Final commit() throws MigrationFailure, InterruptedException {
    session.failpoints.at("source.storage-handoff.before-commit");
    session.attempt.beginCommit();
    Ruling.Final ruling = awaitRuling();
    session.failpoints.at("source.storage-handoff.decided");
    return ruling;
  }

  /** Asks until the row has decided, however often and long; after the commit was asked. */
  Ruling.Final awaitRuling() throws InterruptedException {
    return session.dialogue.commit(session.link::isOpen);
  }
}
