package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.SourceLink;
import dev.pageferry.agent.migration.source.SourceMigration.Environment;
import dev.pageferry.agent.migration.source.SourceMigration.Order;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.ownership.LastWord;
import dev.pageferry.agent.ownership.LeaveToRun;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.agent.ownership.Ruling.NotOurs.Why;
import dev.pageferry.common.concurrent.Backoff;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.migration.StateFiles;
import dev.pageferry.proto.migration.v1.Refusal;
import java.util.Optional;
import java.util.function.DoubleSupplier;

/**
 * How one attempt to move a guest away ends on this host, whatever ended it: with the guest running on here, or with this
 * host's copy gone. Says so in the journal.
 */
final class Settlement {
  private final Order order;
  private final Environment environment;
  private final Attempt attempt;
  private final SourceJournal journal;
  private final OwnershipDialogue dialogue;
  private final Aftermath aftermath;
  private final LastWord lastWord;
  private final MigrationLog log;

  Settlement(Order order, Environment environment, Attempt attempt, SourceJournal journal, OwnershipDialogue dialogue,
      MigrationLog log) {
    this.order = order;
    this.environment = environment;
    this.attempt = attempt;
    this.journal = journal;
    this.dialogue = dialogue;
    this.aftermath = new Aftermath(order.guest(), environment, dialogue, log);
    this.lastWord = dialogue.lastWord();
    this.log = log;
  }

  /** The attempt failed, and its commit was not asked for. */
  void withdraw(SourceLink link, MigrationFailure reason, boolean cancelled) throws InterruptedException {
    attempt.end();
    switch (aftermath.withdraw()) {
      case Aftermath.Leave.Given given -> rollBack(link, given.leave(), reason, cancelled);
      case Aftermath.Leave.Refused refused -> disown(refused.ruling(), reason);
    }
  }

  /** Something that nobody foresaw ended the attempt at any place: the guest is still this host's to let run, or to give up. */
  void withdrawAfter(Throwable cause) throws InterruptedException {
    attempt.end();
    MigrationFailure reason = new MigrationFailure.Stopped(FailureCode.INTERNAL, cause.toString());
    if (!environment.copies().has(order.guest())) {
      // It was given up before: only the report is cut short.
      journal.handedOver(0);
      return;
    }
    Backoff backoff = environment.line().backoff();
    while (true) {
      try {
        switch (aftermath.withdraw()) {
          case Aftermath.Leave.Given given -> runHere(given.leave(), reason, attempt.isCancelled());
          case Aftermath.Leave.Refused refused when refused.ruling().why() == Why.COMMITTED ->
            awaitFate(cause.toString(), () -> 0);
          case Aftermath.Leave.Refused refused -> disown(refused.ruling(), reason);
        }
        return;
      } catch (RuntimeException | Error e) {
        log.warn("the guest stays paused, tried again", e);
        scheduler().sleep(backoff.next());
      }
    }
  }

  /** The row says that the migration was aborted: the guest is this host's, under the epoch of before. */
  void aborted(SourceLink link, Ruling.Ours ours) throws InterruptedException {
    rollBack(link, ours, aborted(ours), false);
  }

  /** The row says that the migration was aborted, and that the guest is not this host's either. */
  void aborted(Ruling.NotOurs notOurs) {
    disown(notOurs, aborted((Ruling.Final) notOurs));
  }

  /** Committed, and given back before this host had heard of either. */
  void takenBack(SourceLink link, Ruling.Ours ours) throws InterruptedException {
    putBack(link, ours, givenBack("its disks could not be opened there"), false);
  }

  /** The guest runs at the destination: this host's copy goes. */
  void arrived(Ruling.NotOurs committed) {
    aftermath.giveAway(committed);
    retireDisks();
  }

  /**
   * Keeps the paused copy of a guest that belongs to the destination until it is known to run there, or nowhere, or to be
   * this host's again because the destination could not open its disks.
   *
   * @param reason why that is not known
   * @param pausedSeconds since the guest was paused, as of now
   */
  void awaitFate(String reason, DoubleSupplier pausedSeconds) throws InterruptedException {
    journal.inDoubt(reason);
    Backoff backoff = environment.line().backoff();
    while (true) {
      // Looked at before asking: a copy whose epoch is over may be so because it was given back under a later one.
      boolean isReleased = lastWord.isOver(order.epoch());
      switch (dialogue.askOnce()) {
        case Ruling.Ours ours -> {
          runHere(ours, givenBack(reason), false);
          return;
        }
        case Ruling.NotOurs notOurs when isReleased -> {
          handedOver(notOurs, pausedSeconds.getAsDouble());
          return;
        }
        // The VM is the destination's, which may still give it back; or the coordinator did not answer.
        case Ruling.NotOurs _ -> lastWord.await(order.epoch(), backoff.next());
        case Ruling.Pending() -> scheduler().sleep(backoff.next());
        case Ruling.NoAnswer _ -> scheduler().sleep(backoff.next());
        case Ruling.Denied _ -> scheduler().sleep(backoff.next());
        case Ruling.RecordsUnknown() -> scheduler().sleep(backoff.next());
      }
    }
  }

  private void handedOver(Ruling.NotOurs ruling, double pausedSeconds) {
    journal.handedOver(pausedSeconds);
    aftermath.giveAway(ruling);
    if (lastWord.runsElsewhereSince(order.epoch()) && ruling.why() == Why.COMMITTED) {
      retireDisks();
    } else if (order.copiesDisks()) {
      log.warn("its disks were copied, and stay here too: nobody has said that the VM runs elsewhere");
    }
  }

  private void retireDisks() {
    if (order.copiesDisks()) {
      aftermath.retireDisks(order.epoch());
    }
  }

  private void disown(Ruling.NotOurs ruling, MigrationFailure reason) {
    aftermath.giveAway(ruling);
    journal.disowned(reason);
  }

  private void rollBack(SourceLink link, LeaveToRun leave, MigrationFailure reason, boolean cancelled)
      throws InterruptedException {
    attempt.end();
    link.send(Refusal.newBuilder().setCode(reason.code().name()).setMessage(reason.getMessage()).build());
    putBack(link, leave, reason, cancelled);
  }

  private void putBack(SourceLink link, LeaveToRun leave, MigrationFailure reason, boolean cancelled)
      throws InterruptedException {
    journal.sent(link.bytesSent());
    runHere(leave, reason, cancelled);
  }

  /** Lets the guest run here again, under an epoch of this host's; it stays paused until its disks are open again. */
  private void runHere(LeaveToRun leave, MigrationFailure reason, boolean cancelled) throws InterruptedException {
    if (order.manner() instanceof Manner.Quick) {
      // No row names it: the paused copy is the VM.
      new StateSaver(environment.savedStates()).discard(StateFiles.name(order.guest().spec().id(), order.migration()),
          log);
    }
    Optional<CoordinatorsWord> said = lastWord.against(leave.epoch());
    if (said.isPresent()) {
      // Later than the leave: the VM was stopped, or is another host's, since.
      disown(said.get().ruling(), reason);
      return;
    }
    Optional<String> trouble = aftermath.putBack(leave);
    if (trouble.isEmpty()) {
      journal.failed(reason, cancelled);
      return;
    }
    journal.failed(new MigrationFailure.Stopped(reason.code(),
        "%s; the VM stays paused until its disks can be opened here again: %s".formatted(reason.getMessage(),
            trouble.get())),
        cancelled);
    // Only the end of this very epoch: a guest that was given back was released under an earlier one, and is the only copy.
    aftermath.awaitDisks(leave, () -> lastWord.isOver(leave.epoch()));
    lastWord.against(leave.epoch()).ifPresent(word -> aftermath.giveAway(word.ruling()));
  }

  private static MigrationFailure givenBack(String reason) {
    return new MigrationFailure.Stopped(FailureCode.DISKS_UNAVAILABLE, "the destination gave the VM back: " + reason);
  }

  private static MigrationFailure aborted(Ruling.Final ruling) {
    return new MigrationFailure.Stopped(FailureCode.ABORTED,
        "the coordinator aborted this migration, as it does when the destination restarted or was not heard of: the VM is %s; try again"
            .formatted(ruling));
  }

  private Scheduler scheduler() {
    return environment.scheduler();
  }
}
