package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.OwnershipClient.Decision;
import dev.pageferry.agent.migration.OwnershipClient.UnreachableException;
import dev.pageferry.common.stage.FailureCode;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/**
 * Stage 4: releases the VM's disks and asks the coordinator to commit. From the first question on this host is in doubt:
 * the guest stays paused until there is an answer, however long that takes, because nobody may guess.
 */
final class StorageHandoff {
  private static final Duration FIRST_RETRY = Duration.ofMillis(20);
  private static final Duration LONGEST_RETRY = Duration.ofSeconds(1);

  private final SourceSession session;

  StorageHandoff(SourceSession session) {
    this.session = session;
  }

  /** @throws MigrationFailure only before the first question */
  Decision run() throws MigrationFailure, InterruptedException {
    try {
      // Drained by the pause; what was written since the flush ahead of it is made safe now.
      session.guest.releaseDisks(session.migration.value());
    } catch (IOException e) {
      throw new MigrationFailure.Stopped(FailureCode.DISKS_UNAVAILABLE, String.valueOf(e.getMessage()));
    }
    session.blackout.disksReleased();
    session.failpoints.at("source.storage-handoff.before-commit");
    session.attempt.beginCommit();
    Decision decision = awaitDecision();
    session.failpoints.at("source.storage-handoff.decided");
    return decision;
  }

  /** Asks until the row has decided, however often and long; after the commit was asked. */
  Decision awaitDecision() throws InterruptedException {
    Duration retry = FIRST_RETRY;
    while (true) {
      try {
        return ask();
      } catch (UnreachableException | RuntimeException | Error e) {
        // Whatever went wrong, the row may have decided: only an answer ends the doubt.
        session.journal.inDoubt(String.valueOf(e.getMessage()));
        Thread.sleep(retry);
        retry = retry.multipliedBy(2).compareTo(LONGEST_RETRY) < 0 ? retry.multipliedBy(2) : LONGEST_RETRY;
      }
    }
  }

  /** Asks what became of a commit that was decided; empty if the coordinator does not answer. */
  Optional<Decision> askOnce() throws InterruptedException {
    try {
      return Optional.of(session.ownership.resolve(session.guest.spec().id(), session.migration));
    } catch (UnreachableException | RuntimeException e) {
      return Optional.empty();
    }
  }

  private Decision ask() throws UnreachableException, InterruptedException {
    // With the destination gone, a commit would throw a perfect copy away: only ask for the decision.
    return session.link.isOpen()
        ? session.ownership.commit(session.guest.spec().id(), session.migration)
        : session.ownership.resolve(session.guest.spec().id(), session.migration);
  }
}
