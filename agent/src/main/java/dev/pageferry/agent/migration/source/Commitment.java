package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.OwnershipClient;
import dev.pageferry.agent.migration.OwnershipClient.Decision;
import dev.pageferry.agent.migration.OwnershipClient.UnreachableException;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import java.time.Duration;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Asks the row what becomes of a paused guest. From the first question on this host is in doubt: it asks until there is an
 * answer, however long that takes, because nobody may guess. Each question is one bounded attempt.
 */
final class Commitment {
  private static final Duration FIRST_RETRY = Duration.ofMillis(20);
  private static final Duration LONGEST_RETRY = Duration.ofSeconds(1);

  private final OwnershipClient ownership;
  private final VmId vm;
  private final MigrationId migration;
  private final Consumer<String> onSilence;

  /** @param onSilence told whenever the coordinator did not answer */
  Commitment(OwnershipClient ownership, VmId vm, MigrationId migration, Consumer<String> onSilence) {
    this.ownership = ownership;
    this.vm = vm;
    this.migration = migration;
    this.onSilence = onSilence;
  }

  private interface Question {
    Decision ask() throws UnreachableException, InterruptedException;
  }

  /**
   * Asks for the commit; once that would throw a perfect copy away, only for the decision.
   *
   * @param mayCommit whether there is still somebody who could run the guest
   */
  Decision commit(BooleanSupplier mayCommit) throws InterruptedException {
    return await(() -> mayCommit.getAsBoolean() ? ownership.commit(vm, migration) : ownership.resolve(vm, migration));
  }

  /** Asks for the abort, unless it was committed. */
  Decision withdraw() throws InterruptedException {
    return await(() -> ownership.resolve(vm, migration));
  }

  /** Makes a saved state known. */
  Decision noteSaved() throws InterruptedException {
    return await(() -> ownership.noteSaved(vm, migration));
  }

  /** Asks once what was decided; empty if the coordinator does not answer. */
  Optional<Decision> askOnce() throws InterruptedException {
    try {
      return Optional.of(ownership.resolve(vm, migration));
    } catch (UnreachableException | RuntimeException e) {
      return Optional.empty();
    }
  }

  private Decision await(Question question) throws InterruptedException {
    Duration retry = FIRST_RETRY;
    while (true) {
      try {
        return question.ask();
      } catch (UnreachableException | RuntimeException | Error e) {
        // Whatever went wrong, the row may have decided: only an answer ends the doubt.
        onSilence.accept(String.valueOf(e.getMessage()));
        Thread.sleep(retry);
        retry = retry.multipliedBy(2).compareTo(LONGEST_RETRY) < 0 ? retry.multipliedBy(2) : LONGEST_RETRY;
      }
    }
  }
}
