package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.migration.DialogueLog;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.destination.Reception.Discarded;
import dev.pageferry.agent.migration.destination.Reception.InDoubt;
import dev.pageferry.agent.migration.destination.Reception.Owned;
import dev.pageferry.agent.migration.destination.Reception.Receiving;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.common.concurrent.Backoff;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.io.IOException;
import java.util.function.LongConsumer;

/**
 * Brings a saved guest back to life on this host. Once all of it is here and checked the row is asked: it forgets the file
 * before the guest does its first step, so that the file can never be restored a second time.
 */
public final class RestoreOperation {

  private final GuestSpec spec;
  private final OwnershipEpoch epoch;
  private final DestinationMigration.Environment environment;
  private final MigrationLog log;
  private final OwnershipDialogue dialogue;

  /** @param epoch under which this host will own the guest */
  RestoreOperation(MigrationId operation, GuestSpec spec, OwnershipEpoch epoch,
      DestinationMigration.Environment environment) {
    this.spec = spec;
    this.epoch = epoch;
    this.environment = environment;
    this.log = environment.logs().of(operation, spec.name());
    this.dialogue = OwnershipDialogue.ofDestination(environment.line(), spec.id(), operation, epoch,
        new DialogueLog(log));
  }

  /**
   * Restores the guest and lets it run, unless the operator had paused it.
   *
   * @param progress told the bytes read, by any thread
   * @return seconds from the first byte read until all was checked
   * @throws IOException with the reason for which it stays saved
   */
  public double run(String fileName, LongConsumer progress)
      throws IOException, OutOfMemoryException, InterruptedException {
    environment.disks().check(spec);
    dialogue.listens();
    try {
      return readAndRun(fileName, progress);
    } finally {
      dialogue.ends();
    }
  }

  private double readAndRun(String fileName, LongConsumer progress)
      throws IOException, OutOfMemoryException, InterruptedException {
    StateRestorer restorer = new StateRestorer(environment);
    Receiving receiving = new Receiving(log);
    receiving.built(environment.guests().skeleton(spec));
    double seconds = read(receiving, restorer, fileName, progress);
    // From here on only the row's ruling lets it run, or discards it.
    Owned owned = commit(receiving.inDoubt());
    environment.failpoints().at("restore.committed");
    // Known here before its disks are open, so that it can be stopped while they are not.
    environment.activeGuests().adopt(owned.guest(), epoch);
    openDisks(owned.guest());
    owned.guest().runOn(owned.ruling());
    log.info("restored in {} s, runs under epoch {} from step {}", seconds, epoch,
        Replayable.stepsOf(owned.guest()));
    restorer.discard(fileName, log);
    return seconds;
  }

  private double read(Receiving receiving, StateRestorer restorer, String fileName, LongConsumer progress)
      throws IOException, InterruptedException {
    try {
      long start = environment.ticker().nanos();
      restorer.restore(receiving.guest(), fileName, progress);
      double seconds = environment.ticker().secondsSince(start);
      environment.failpoints().at("restore.before-commit");
      return seconds;
    } catch (IOException | InterruptedException | RuntimeException | Error e) {
      Discarded _ = receiving.discard(e.toString());
      throw e;
    }
  }

  private Owned commit(InDoubt inDoubt) throws IOException, InterruptedException {
    // No other copy can run meanwhile: the question may be repeated without a limit.
    return switch (dialogue.commit(() -> true)) {
      case Ruling.Ours ours -> inDoubt.own(ours);
      case Ruling.NotOurs notOurs -> {
        Discarded _ = inDoubt.discard(notOurs);
        throw new IOException(
            "restoring VM %s was aborted by the coordinator; it is %s".formatted(spec.name(), notOurs));
      }
    };
  }

  /** The guest is this host's and nobody else's: it stays paused until its disks can be opened. */
  private void openDisks(IncomingGuest vm) throws IOException, InterruptedException {
    environment.lease().awaitLive();
    Backoff backoff = environment.line().backoff();
    while (true) {
      try {
        vm.openDisks(DiskClaim.afterSilence(spec.id().value(), epoch.value(), false));
        // Disks may have taken their time: who was frozen meanwhile finds its lease over.
        environment.lease().awaitLive();
        return;
      } catch (IllegalStateException e) {
        throw new IOException("VM %s was stopped before it ran".formatted(spec.name()), e);
      } catch (IOException e) {
        log.warn("the guest stays paused, its disks cannot be opened: {}", IoFailure.sentence(e));
        environment.scheduler().sleep(backoff.next());
      }
    }
  }
}
