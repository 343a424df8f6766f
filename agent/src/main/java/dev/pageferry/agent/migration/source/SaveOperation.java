package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.OwnershipClient.Decision;
import dev.pageferry.agent.migration.OwnershipClient.Outcome;
import dev.pageferry.agent.savedstate.SavedStateWriter;
import dev.pageferry.agent.savedstate.SavedStateWriter.Packing;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.StateFiles;
import java.io.IOException;
import java.util.Optional;
import java.util.function.LongConsumer;

/**
 * Saves a guest to shared storage and takes it off this host: a quick migration to nowhere. The row decides whether the file
 * or the paused copy is the VM.
 */
public final class SaveOperation {
  private final MigrationId operation;
  private final OwnershipEpoch epoch;
  private final Guest guest;
  private final SourceMigration.Environment environment;
  private final MigrationLog log;
  private final Custody custody;
  private final StateSaver saver;
  private final GuestClaims.Claim claim;
  private boolean goesOn;

  /**
   * What was saved.
   *
   * @param steps done by all vCPUs
   * @param seconds from the pause until the file was whole on stable storage
   */
  public record Saved(long fileBytes, long steps, double seconds) {
  }

  /**
   * @param operation by which the row knows it
   * @param claim on the guest; closed once nothing more is done with it
   */
  public SaveOperation(MigrationId operation, OwnershipEpoch epoch, Guest guest,
      SourceMigration.Environment environment, GuestClaims.Claim claim) {
    this.claim = claim;
    this.operation = operation;
    this.epoch = epoch;
    this.guest = guest;
    this.environment = environment;
    this.log = environment.logs().of(operation, guest.spec().name());
    this.custody = new Custody(guest, environment.disks(), log);
    this.saver = new StateSaver(environment.savedStates());
  }

  /**
   * Saves the guest; on any failure it runs on here.
   *
   * @param progress told the pages looked at, by any thread
   * @throws IOException with the reason for which the guest was not saved
   */
  public Saved run(Packing packing, LongConsumer progress) throws IOException, InterruptedException {
    try {
      return saveAndCommit(packing, progress);
    } finally {
      if (!goesOn) {
        claim.close();
      }
    }
  }

  private Saved saveAndCommit(Packing packing, LongConsumer progress) throws IOException, InterruptedException {
    SavedStateWriter.Result saved;
    double seconds;
    try {
      if (guest.disks().isPresent()) {
        guest.disks().get().flush();
      }
      long start = environment.ticker().nanos();
      guest.pauseOrRunOn(PauseReason.MIGRATION);
      environment.failpoints().at("save.paused");
      saved = saver.save(guest, epoch, StateFiles.name(guest.spec().id(), operation), packing,
          progress);
      seconds = environment.ticker().secondsSince(start);
      environment.failpoints().at("save.written");
      guest.releaseDisks(operation.value());
    } catch (IOException | InterruptedException | RuntimeException | Error e) {
      withdraw();
      putBack();
      saver.discard(StateFiles.name(guest.spec().id(), operation), log);
      throw e;
    }
    environment.failpoints().at("save.before-commit");
    Decision decision = commitment().commit(() -> true);
    if (decision.outcome() == Outcome.COMMITTED) {
      log.info("saved in {} s: {} bytes, {} pages, {} copies", seconds, saved.fileBytes(), saved.pagesStored(),
          saved.copies());
      environment.copies().givenAway(guest);
      return new Saved(saved.fileBytes(), guest.steps(), seconds);
    }
    if (decision.outcome() == Outcome.ABORTED && decision.epoch() == epoch.value()) {
      putBack();
      saver.discard(StateFiles.name(guest.spec().id(), operation), log);
      throw new IOException("saving VM %s was aborted by the coordinator; it runs on".formatted(guest.spec().name()));
    }
    environment.copies().givenAway(guest);
    throw new IOException("VM %s is not this host's any more".formatted(guest.spec().name()));
  }

  /** Best effort: whoever started this operation aborts it, too, once it hears of the failure. */
  private void withdraw() throws InterruptedException {
    Optional<Decision> unused = commitment().askOnce();
  }

  private void putBack() throws InterruptedException {
    Optional<String> trouble = custody.putBack(epoch);
    if (trouble.isPresent()) {
      goesOn = true;
      Thread.ofVirtual().name("custody-" + operation).start(() -> {
        try (claim) {
          custody.awaitDisks(epoch, () -> !environment.copies().has(guest));
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
      });
    }
  }

  private Commitment commitment() {
    return new Commitment(environment.ownership(), guest.spec().id(), operation,
        reason -> log.warn("in doubt: {}", reason));
  }
}
