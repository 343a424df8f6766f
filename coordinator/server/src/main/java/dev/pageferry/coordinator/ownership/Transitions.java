package dev.pageferry.coordinator.ownership;

import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.coordinator.ownership.DecidedOperation.Decided;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Decision;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Outcome;
import dev.pageferry.coordinator.ownership.Transition.Answered;
import dev.pageferry.coordinator.ownership.Transition.Applied;
import dev.pageferry.coordinator.ownership.Transition.Fate;
import dev.pageferry.coordinator.ownership.Transition.Refused;
import dev.pageferry.coordinator.ownership.VmOwnership.Active;
import dev.pageferry.coordinator.ownership.VmOwnership.Creating;
import dev.pageferry.coordinator.ownership.VmOwnership.Deleted;
import dev.pageferry.coordinator.ownership.VmOwnership.Moving;
import dev.pageferry.coordinator.ownership.VmOwnership.Pending;
import dev.pageferry.coordinator.ownership.VmOwnership.Restoring;
import dev.pageferry.coordinator.ownership.VmOwnership.Saved;
import dev.pageferry.coordinator.ownership.VmOwnership.Saving;
import dev.pageferry.coordinator.ownership.VmOwnership.Stopped;
import java.util.Optional;

/**
 * How the states of a VM's row follow from one another. Pure: what it returns depends on its arguments alone.
 *
 * <pre>
 *                Creating   Active     Moving        Saving    Saved      Restoring   Stopped
 * BeginMove      refused    Moving     refused       refused   refused    refused     refused
 * BeginSave      refused    Saving     refused       refused   refused    refused     refused
 * BeginRestore   refused    refused    refused       refused   Restoring  refused     refused
 * Commit M       -          -          Active(dest)  Saved     -          Active(dest) -
 *   if its destination is lost         Active                             Saved
 * Resolve M      -          -          Active        Active    -          Saved       -
 *   if the state is noted, the owner lost  Saved under the next epoch
 *   if noted, from the destination     pending
 * NoteSaved M    -          -          Moving(noted) -         -          -           -
 * GiveBack M     -          Active(source) if M left it so, unstarted, and the source lives -
 * Boot           Creating   Creating   refused       refused   refused    refused     Creating
 * Restart        Creating, if the owner is not heard; refused as Boot                 Creating
 * Started        Active, as the others noted as started        not its    not its     not its
 * TakeOver       not its    Active(heir) pending     pending   not its    not its     not its
 * NotBuilt       Stopped    refused    refused       refused   refused    refused     refused
 * PowerOff       Stopped    Stopped    refused       refused   Stopped    refused     Stopped
 * Delete         Deleted    Deleted    refused       refused   Deleted    refused     Deleted
 * CountSteps     refused    refused    refused       refused   Saved      refused     refused
 * Claim          Active(reporter), and what is pending is aborted, everywhere but in Deleted
 * ClaimInDoubt M likewise, and M is committed
 * FoundNowhere   Stopped, likewise; Saved where its state is in a file, unless its disks were opened later
 * </pre>
 *
 * M stands for the operation that is pending; a decided one is answered as it was decided, whatever the row says by now. A
 * dash: this operation is not pending, and is aborted. Every change of owner takes the next epoch, and so does every boot. The heir
 * of a host's agent that ended is the agent that is alive there now: it has what that one left running.
 */
final class Transitions {
  private Transitions() {
  }

  /** @param operation what is remembered of the operation that the event names, if it names one and it was begun */
  static Transition apply(VmOwnership state, OwnershipEvent event, LiveHosts liveness,
      Optional<DecidedOperation> operation) {
    if (state instanceof Deleted) {
      return new Refused("was deleted");
    }
    return switch (event) {
      case OwnershipEvent.Begin begin -> begin(state, begin);
      case OwnershipEvent.ClaimInDoubt claim -> claimInDoubt(state, claim);
      case OwnershipEvent.OfOperation asked -> operation.map(known -> ofOperation(state, asked, liveness, known))
          .orElseGet(() -> new Answered(Decision.UNKNOWN));
      case OwnershipEvent.Boot boot -> boot(state, boot);
      case OwnershipEvent.Restart restart -> restart(state, restart, liveness);
      case OwnershipEvent.Started started -> started(state, started);
      case OwnershipEvent.TakeOver found -> takeOver(state, found, liveness);
      case OwnershipEvent.NotBuilt notBuilt -> notBuilt(state, notBuilt);
      case OwnershipEvent.PowerOff() -> idle(state, new Stopped(state.tenure()));
      case OwnershipEvent.Delete() -> idle(state, new Deleted(state.tenure()));
      case OwnershipEvent.CountSteps counted -> state instanceof Saved saved && saved.file().equals(counted.file())
          ? change(new Saved(saved.tenure(), saved.file(), counted.steps()))
          : new Refused("has another saved state by now");
      case OwnershipEvent.Claim claim -> claim(state, claim);
      case OwnershipEvent.FoundNowhere nowhere -> foundNowhere(state, nowhere);
    };
  }

  private static Transition begin(VmOwnership state, OwnershipEvent.Begin event) {
    if (state instanceof Pending pending) {
      return busy(pending);
    }
    VmOwnership next = switch (event) {
      case OwnershipEvent.BeginMove move when state instanceof Active active -> new Moving(active.tenure(),
          move.operation(), move.destination(), move.destinationIncarnation(), move.storageAfter(), Optional.empty());
      case OwnershipEvent.BeginSave save when state instanceof Active active ->
        new Saving(active.tenure(), save.operation(), save.storageAfter(), save.file());
      case OwnershipEvent.BeginRestore restore when state instanceof Saved saved ->
        new Restoring(saved, restore.operation(), restore.destination(), restore.destinationIncarnation());
      case OwnershipEvent.BeginMove _ -> state;
      case OwnershipEvent.BeginSave _ -> state;
      case OwnershipEvent.BeginRestore _ -> state;
    };
    return next == state
        ? new Refused("is %s".formatted(name(state)))
        : new Applied(next, Fate.BEGUN, decision(Outcome.PENDING, next));
  }

  private static Transition ofOperation(VmOwnership state, OwnershipEvent.OfOperation event, LiveHosts liveness,
      DecidedOperation known) {
    if (event instanceof OwnershipEvent.GiveBack && known.decided() != Decided.PENDING) {
      return giveBack(state, liveness, known);
    }
    if (known.decided() != Decided.PENDING) {
      return new Answered(answer(known, state));
    }
    if (!(state instanceof Pending pending) || !pending.operation().equals(event.operation())) {
      // Its row was overruled: nobody can commit it any more.
      return new Applied(state, Fate.ABORTED, answered(Outcome.ABORTED, state));
    }
    return switch (event) {
      case OwnershipEvent.Commit _ -> mayCommit(pending, liveness)
          ? new Applied(committed(pending), Fate.COMMITTED, decision(Outcome.COMMITTED, committed(pending)))
          : aborted(pending, liveness);
      case OwnershipEvent.Resolve resolve -> resolve.fromDestination() && isNotedByALiveOwner(pending, liveness)
          ? new Answered(decision(Outcome.PENDING, pending))
          : aborted(pending, liveness);
      case OwnershipEvent.NoteSaved noted -> noteSaved(pending, noted);
      // Not committed, so that there is nothing to give back yet.
      case OwnershipEvent.GiveBack _ -> new Answered(decision(Outcome.PENDING, pending));
      case OwnershipEvent.Begin _ -> throw new IllegalStateException("a begin is not a question");
      case OwnershipEvent.ClaimInDoubt _ -> throw new IllegalStateException("a claim is not a question");
    };
  }

  private static boolean mayCommit(Pending pending, LiveHosts liveness) {
    return switch (pending) {
      case Moving move -> liveness.isAlive(move.destination(), move.destinationIncarnation());
      case Restoring restore -> liveness.isAlive(restore.destination(), restore.destinationIncarnation());
      case Saving _ -> true;
    };
  }

  private static VmOwnership committed(Pending pending) {
    Tenure tenure = pending.tenure();
    return switch (pending) {
      case Moving move -> new Active(tenure.succeededBy(move.destination(), move.destinationIncarnation(),
          move.storageAfter().isEmpty() ? tenure.storage() : move.storageAfter()));
      case Restoring restore ->
        new Active(tenure.succeededBy(restore.destination(), restore.destinationIncarnation(), tenure.storage()));
      case Saving save ->
        new Saved(save.storageAfter().isEmpty() ? tenure : tenure.onStorage(save.storageAfter()), save.file(), 0);
    };
  }

  /**
   * Where the state is whole in its file and the owner is lost, the VM is saved from then on, under a later epoch, so that
   * the owner finds its copy void if it was only cut off.
   */
  private static Transition aborted(Pending pending, LiveHosts liveness) {
    VmOwnership next = pending instanceof Moving move && move.noted().isPresent() && !move.tenure().isAlive(liveness)
        ? new Saved(move.tenure().voided(), move.noted().get(), 0)
        : pending.before();
    return new Applied(next, Fate.ABORTED, decision(Outcome.ABORTED, next));
  }

  private static boolean isNotedByALiveOwner(Pending pending, LiveHosts liveness) {
    return pending instanceof Moving move && move.noted().isPresent() && move.tenure().isAlive(liveness);
  }

  private static Transition noteSaved(Pending pending, OwnershipEvent.NoteSaved event) {
    return pending instanceof Moving move
        ? new Applied(
            new Moving(move.tenure(), move.operation(), move.destination(), move.destinationIncarnation(),
                move.storageAfter(), Optional.of(event.file())),
            decision(Outcome.PENDING, move))
        : new Answered(decision(Outcome.PENDING, pending));
  }

  private static Transition giveBack(VmOwnership state, LiveHosts liveness, DecidedOperation known) {
    boolean stillAsCommitted = known.decided() == Decided.COMMITTED && state instanceof Active
        && state.tenure().epoch().value() == known.decidedEpoch() && !state.tenure().started();
    if (!stillAsCommitted || known.source().filter(it -> liveness.isAlive(it.host(), it.incarnation())).isEmpty()) {
      return new Answered(answer(known, state));
    }
    DecidedOperation.Source source = known.source().get();
    Active next = new Active(state.tenure().succeededBy(source.host(), source.incarnation(), source.storage()));
    return new Applied(next, Fate.TAKEN_BACK, decision(Outcome.TAKEN_BACK, next));
  }

  private static Decision answer(DecidedOperation known, VmOwnership state) {
    return switch (known.decided()) {
      // An operator may have claimed the copy whose state was saved, after records went back in time.
      case COMMITTED -> answered(isBackWithItsSource(known, state) ? Outcome.ABORTED : Outcome.COMMITTED, state);
      case ABORTED -> answered(Outcome.ABORTED, state);
      // Where it has moved on since, whoever asks has a copy of an epoch that is over.
      case TAKEN_BACK -> answered(state.tenure().epoch().value() == known.decidedEpoch() && !(state instanceof Stopped)
          ? Outcome.TAKEN_BACK
          : Outcome.ABORTED, state);
      case PENDING -> throw new IllegalStateException("operation of VM %s is not decided".formatted(known.vm()));
    };
  }

  private static boolean isBackWithItsSource(DecidedOperation known, VmOwnership state) {
    boolean isOnAHost = !(state instanceof Saved) && !(state instanceof Restoring) && !(state instanceof Stopped);
    return known.isSave() && isOnAHost && state.tenure().epoch().value() == known.decidedEpoch()
        && known.source().filter(it -> state.tenure().isOf(it.host(), it.incarnation())).isPresent();
  }

  /** These records do not know of the operation, and are right all the same: it was not decided, and never will be. */
  static Decision neverDecided(VmOwnership state) {
    return answered(Outcome.ABORTED, state);
  }

  private static Transition restart(VmOwnership state, OwnershipEvent.Restart event, LiveHosts liveness) {
    boolean isInMemory = state instanceof Active || state instanceof Creating;
    if (isInMemory && state.tenure().isAlive(liveness)) {
      return new Refused("is on host %s, which is heard again".formatted(state.tenure().host()));
    }
    return boot(state,
        new OwnershipEvent.Boot(event.host(), event.incarnation(), event.storage(), event.seen(),
            event.seenActive()));
  }

  private static Transition boot(VmOwnership state, OwnershipEvent.Boot event) {
    if (!state.tenure().epoch().equals(event.seen()) || state instanceof Active && !event.seenActive()) {
      return new Refused("has changed meanwhile, and is %s under epoch %s now; look at it again, then try again"
          .formatted(name(state), state.tenure().epoch()));
    }
    return switch (state) {
      case Creating _ -> booting(state, event);
      // Its owner is gone, or does not have it any more: whoever asks for this has made sure of that.
      case Active _ -> booting(state, event);
      case Stopped _ -> booting(state, event);
      case Saved _ -> new Refused("is saved");
      case Pending pending -> busy(pending);
      case Deleted _ -> new Refused("was deleted");
    };
  }

  private static Transition booting(VmOwnership state, OwnershipEvent.Boot event) {
    return change(new Creating(state.tenure().succeededBy(event.host(), event.incarnation(), event.storage())));
  }

  /** Idempotent: whoever is told that the VM is its own may ask again. */
  private static Transition started(VmOwnership state, OwnershipEvent.Started event) {
    Tenure tenure = state.tenure();
    boolean itsOwn = tenure.isOf(event.host(), event.incarnation()) && tenure.epoch().equals(event.epoch());
    if (!itsOwn) {
      return new Answered(decision(Outcome.ABORTED, state));
    }
    return switch (state) {
      case Creating _ -> noted(state, new Active(tenure.asStarted()));
      case Active _ -> noted(state, new Active(tenure.asStarted()));
      case Moving move -> noted(state, new Moving(tenure.asStarted(), move.operation(), move.destination(),
          move.destinationIncarnation(), move.storageAfter(), move.noted()));
      case Saving save ->
        noted(state, new Saving(tenure.asStarted(), save.operation(), save.storageAfter(), save.file()));
      case Saved _ -> new Answered(decision(Outcome.ABORTED, state));
      case Restoring _ -> new Answered(decision(Outcome.ABORTED, state));
      case Stopped _ -> new Answered(decision(Outcome.ABORTED, state));
      case Deleted _ -> new Refused("was deleted");
    };
  }

  private static Transition noted(VmOwnership state, VmOwnership next) {
    Decision answer = decision(Outcome.COMMITTED, next);
    return next.equals(state) ? new Answered(answer) : new Applied(next, answer);
  }

  /**
   * Idempotent: the answer may have been lost. What was pending when the agent before ended is decided first: the VM may have left.
   * A machine that was not known to run has done nothing that is worth keeping.
   */
  private static Transition takeOver(VmOwnership state, OwnershipEvent.TakeOver event, LiveHosts liveness) {
    Tenure tenure = state.tenure();
    boolean fromBefore = tenure.host().equals(event.host()) && event.before().contains(tenure.incarnation());
    if (!liveness.isAlive(event.host(), event.incarnation())) {
      return new Answered(decision(Outcome.PENDING, state));
    }
    if (state instanceof Active && tenure.isOf(event.host(), event.incarnation())) {
      return new Answered(decision(Outcome.COMMITTED, state));
    }
    if (state instanceof Active && fromBefore) {
      Active next = new Active(tenure.succeededBy(event.host(), event.incarnation(), tenure.storage()));
      return new Applied(next, decision(Outcome.COMMITTED, next));
    }
    boolean isUndecided = fromBefore && state instanceof Pending && !(state instanceof Restoring);
    return new Answered(isUndecided ? decision(Outcome.PENDING, state) : answered(Outcome.ABORTED, state));
  }

  private static Transition notBuilt(VmOwnership state, OwnershipEvent.NotBuilt event) {
    return state instanceof Creating creating && creating.tenure().epoch().equals(event.epoch())
        ? change(new Stopped(creating.tenure()))
        : new Refused("is %s under epoch %s".formatted(name(state), state.tenure().epoch()));
  }

  private static Transition idle(VmOwnership state, VmOwnership next) {
    return state instanceof Pending pending ? busy(pending) : change(next);
  }

  private static Transition claim(VmOwnership state, OwnershipEvent.Claim event) {
    if (event.epoch().compareTo(state.tenure().epoch()) < 0) {
      return tooEarly(state, event.epoch());
    }
    return overruling(state,
        new Active(new Tenure(event.host(), event.incarnation(), event.storage(), event.epoch())));
  }

  private static Transition claimInDoubt(VmOwnership state, OwnershipEvent.ClaimInDoubt event) {
    if (event.epoch().compareTo(state.tenure().epoch()) < 0) {
      return tooEarly(state, event.epoch());
    }
    Active next = new Active(new Tenure(event.host(), event.incarnation(), event.storage(), event.epoch()));
    return new Applied(next, Fate.COMMITTED, decision(Outcome.COMMITTED, next));
  }

  private static Refused tooEarly(VmOwnership state, OwnershipEpoch epoch) {
    return new Refused("has epoch %s in its row, which is later than %s".formatted(state.tenure().epoch(), epoch));
  }

  /**
   * A state that is in a file is kept, unless a disk was opened later: then the VM was restored from it, and has run since. A
   * file that was still being written shows that when it is restored.
   */
  private static Transition foundNowhere(VmOwnership state, OwnershipEvent.FoundNowhere event) {
    Tenure tenure = state.tenure();
    if (event.epoch().compareTo(tenure.epoch()) > 0) {
      return overruling(state,
          new Stopped(new Tenure(tenure.host(), tenure.incarnation(), tenure.storage(), event.epoch())));
    }
    return overruling(state, switch (state) {
      case Saved saved -> saved;
      case Restoring restoring -> restoring.saved();
      case Saving saving ->
        new Saved(saving.storageAfter().isEmpty() ? tenure : tenure.onStorage(saving.storageAfter()),
            saving.file(), 0);
      case Moving moving -> moving.noted().<VmOwnership>map(file -> new Saved(tenure, file, 0))
          .orElseGet(() -> new Stopped(tenure));
      case Creating _ -> new Stopped(tenure);
      case Active _ -> new Stopped(tenure);
      case Stopped stopped -> stopped;
      case Deleted _ -> state;
    });
  }

  private static Transition overruling(VmOwnership state, VmOwnership next) {
    // What was pending is aborted for good when it is asked for next: the row does not name it any more.
    return state.equals(next) ? new Answered(decision(Outcome.ABORTED, state)) : change(next);
  }

  private static Applied change(VmOwnership next) {
    return new Applied(next, decision(Outcome.PENDING, next));
  }

  private static Refused busy(Pending pending) {
    return new Refused(switch (pending) {
      case Moving move -> "is being migrated (%s); wait for it or cancel it".formatted(move.operation());
      case Saving _ -> "is being saved; wait for it";
      case Restoring _ -> "is being restored; wait for it";
    });
  }

  /**
   * A VM that is switched off keeps its epoch, and no copy of that epoch may run: whoever still asks is answered from the next
   * one.
   */
  private static Decision answered(Outcome outcome, VmOwnership state) {
    long epoch = state.tenure().epoch().value();
    return new Decision(outcome, state.tenure().host().value(), state instanceof Stopped ? epoch + 1 : epoch);
  }

  private static Decision decision(Outcome outcome, VmOwnership state) {
    return new Decision(outcome, state.tenure().host().value(), state.tenure().epoch().value());
  }

  private static String name(VmOwnership state) {
    return switch (state) {
      case Creating _ -> "being created";
      case Active _ -> "running";
      case Moving _ -> "being migrated";
      case Saving _ -> "being saved";
      case Saved _ -> "saved";
      case Restoring _ -> "being restored";
      case Stopped _ -> "stopped";
      case Deleted _ -> "deleted";
    };
  }
}
