package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.migration.DialogueLog;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.ownership.LeaveToRun;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.agent.ownership.Ruling.NotOurs.Why;
import dev.pageferry.agent.savedstate.SavedStateWriter;
import dev.pageferry.agent.savedstate.SavedStateWriter.Packing;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.migration.StateFiles;
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
  private final OwnershipDialogue dialogue;
  private final Aftermath aftermath;
  private final StateSaver saver;
  private final GuestClaims.Claim claim;
  private boolean goesOn;

  /**
   * What was saved.
   *
   * @param steps done by all vCPUs; 0 if the guest counts none
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
    this.dialogue = OwnershipDialogue.ofSaver(environment.line(), guest.spec().id(), operation, epoch,
        new DialogueLog(log));
    this.aftermath = new Aftermath(guest, environment, dialogue, log);
    this.saver = new StateSaver(environment.savedStates());
  }

  /**
   * Saves the guest; on any failure it runs on here.
   *
   * @param progress told the pages looked at, by any thread
   * @throws IOException with the reason for which the guest was not saved
   */
  public Saved run(Packing packing, LongConsumer progress) throws IOException, InterruptedException {
    dialogue.listens();
    try {
      return saveAndCommit(packing, progress);
    } finally {
      dialogue.ends();
      if (!goesOn) {
        claim.close();
      }
    }
  }

  private Saved saveAndCommit(Packing packing, LongConsumer progress) throws IOException, InterruptedException {
    SavedStateWriter.Result saved;
    double seconds;
    try {
      guest.flushDisks();
      long start = environment.ticker().nanos();
      guest.pauseOrRunOn(PauseReason.MIGRATION);
      environment.failpoints().at("save.paused");
      saved = saver.save(guest, epoch, StateFiles.name(guest.spec().id(), operation), packing,
          progress);
      seconds = environment.ticker().secondsSince(start);
      environment.failpoints().at("save.written");
      guest.releaseDisks(operation.value());
    } catch (IOException | InterruptedException | RuntimeException | Error e) {
      // Whoever started this operation aborts it, once it hears of the failure.
      putBack(dialogue.neverAsked());
      throw e;
    }
    environment.failpoints().at("save.before-commit");
    switch (dialogue.commit(() -> true)) {
      case Ruling.NotOurs notOurs when notOurs.why() == Why.SAVED -> {
        log.info("saved in {} s: {} bytes, {} pages, {} copies", seconds, saved.fileBytes(), saved.pagesStored(),
            saved.copies());
        aftermath.giveAway(notOurs);
        return new Saved(saved.fileBytes(), Replayable.stepsOf(guest), seconds);
      }
      case Ruling.NotOurs notOurs -> {
        aftermath.giveAway(notOurs);
        throw new IOException("VM %s is %s".formatted(guest.spec().name(), notOurs));
      }
      case Ruling.Ours ours -> {
        putBack(ours);
        throw new IOException(
            "saving VM %s was aborted by the coordinator; it runs on".formatted(guest.spec().name()));
      }
    }
  }

  private void putBack(LeaveToRun leave) throws InterruptedException {
    saver.discard(StateFiles.name(guest.spec().id(), operation), log);
    Optional<String> trouble = aftermath.putBack(leave);
    if (trouble.isPresent()) {
      goesOn = true;
      Task _ = environment.scheduler().start("custody-" + operation, () -> {
        try (claim) {
          aftermath.awaitDisks(leave, () -> !environment.copies().has(guest));
        } catch (InterruptedException e) {
          environment.scheduler().current().interrupt();
        }
      });
    }
  }
}
