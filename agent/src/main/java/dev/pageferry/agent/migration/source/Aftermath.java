package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.source.SourceMigration.Environment;
import dev.pageferry.agent.ownership.LeaveToRun;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.common.concurrent.Backoff;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.io.IOException;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * What becomes of this host's paused copy of a guest once an operation that was to take it away is decided, or has failed.
 * The copy runs on only with leave, and goes only by a ruling.
 */
final class Aftermath {
  private final Guest guest;
  private final Environment environment;
  private final OwnershipDialogue dialogue;
  private final MigrationLog log;

  Aftermath(Guest guest, Environment environment, OwnershipDialogue dialogue, MigrationLog log) {
    this.guest = guest;
    this.environment = environment;
    this.dialogue = dialogue;
    this.log = log;
  }

  /** The operation failed before it was decided: leave to run on, if the row has not been asked; else what it says. */
  Leave withdraw() throws InterruptedException {
    if (!dialogue.wasAsked()) {
      return new Leave.Given(dialogue.neverAsked());
    }
    return switch (dialogue.abortUnlessCommitted()) {
      case Ruling.Ours ours -> new Leave.Given(ours);
      case Ruling.NotOurs notOurs -> new Leave.Refused(notOurs);
    };
  }

  /** Whether the guest may run on here. */
  sealed interface Leave {
    record Given(LeaveToRun leave) implements Leave {
    }

    record Refused(Ruling.NotOurs ruling) implements Leave {
    }
  }

  /** The copy is of no use any more. */
  void giveAway(Ruling.NotOurs ruling) {
    log.info("this host's copy goes: {}", ruling);
    environment.copies().givenAway(guest, ruling);
  }

  /**
   * Lets the guest run on here, with its disks open again.
   *
   * @return why it stays paused, where its disks cannot be opened now: {@link #awaitDisks} goes on trying
   */
  Optional<String> putBack(LeaveToRun leave) throws InterruptedException {
    if (leave instanceof Ruling.Ours ours) {
      environment.copies().ruledOurs(guest, ours);
    }
    return openDisksAndRun(leave);
  }

  private Optional<String> openDisksAndRun(LeaveToRun leave) throws InterruptedException {
    guest.throttle(0);
    try {
      guest.openDisks(DiskClaim.orderly(guest.spec().id().value(), leave.epoch().value()));
    } catch (IllegalStateException e) {
      log.warn("the guest is gone: {}", String.valueOf(e.getMessage()));
      return Optional.empty();
    } catch (IOException e) {
      log.warn("the guest stays paused, its disks cannot be opened: {}", IoFailure.sentence(e));
      return Optional.of(IoFailure.sentence(e));
    }
    guest.runOn(leave);
    return Optional.empty();
  }

  /**
   * Tries until the guest goes on, or is gone.
   *
   * @param isOver whether the coordinator has said that the guest is another host's, or nobody's, meanwhile
   */
  void awaitDisks(LeaveToRun leave, BooleanSupplier isOver) throws InterruptedException {
    Backoff backoff = environment.line().backoff();
    do {
      environment.scheduler().sleep(backoff.next());
      if (isOver.getAsBoolean()) {
        return;
      }
    } while (openDisksAndRun(leave).isPresent());
    log.info("its disks are open again");
  }

  /** Removes the disks from here that the guest has at the destination now; what stays is replaced if it comes back. */
  void retireDisks(OwnershipEpoch epoch) {
    try {
      environment.disks().retire(guest.spec(), epoch);
    } catch (IOException e) {
      log.warn("its disks were copied, and stay here too: {}", IoFailure.sentence(e));
    }
  }
}
