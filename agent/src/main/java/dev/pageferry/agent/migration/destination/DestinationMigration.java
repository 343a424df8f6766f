package dev.pageferry.agent.migration.destination;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.disk.DiskException;
import dev.pageferry.agent.guest.GuestBuilder;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.migration.ActivationLease;
import dev.pageferry.agent.migration.DialogueLog;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.destination.Reception.Discarded;
import dev.pageferry.agent.migration.destination.Reception.InDoubt;
import dev.pageferry.agent.migration.destination.Reception.Owned;
import dev.pageferry.agent.migration.destination.Reception.Receiving;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.agent.savedstate.SavedStates;
import dev.pageferry.agent.wire.WireException;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.migration.MigrationStage;
import dev.pageferry.common.migration.StateFiles;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.BackToPreCopy;
import dev.pageferry.proto.migration.v1.Go;
import dev.pageferry.proto.migration.v1.Ready;
import dev.pageferry.proto.migration.v1.Refusal;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * One guest on its way to this host: straight-line code on a task of its own. What it is at each moment, {@link Reception}
 * says; a guest that is in doubt is run on GO, which only a source says that has heard of the commit, or by the row's ruling,
 * and discarded by the row's ruling alone.
 */
final class DestinationMigration {
  /** The link's keep-alive ends the wait for a silent source long before. */
  private static final Duration GO_TIMEOUT = Duration.ofHours(1);

  /** What a migration reaches the world through. */
  record Environment(GuestBuilder guests, GuestDisks disks, Optional<SavedStates> savedStates,
      OwnershipDialogue.Line line, ActivationLease lease, ActiveGuests activeGuests, MigrationLog.Factory logs,
      Failpoints failpoints) {
    Scheduler scheduler() {
      return line.scheduler();
    }

    Ticker ticker() {
      return line.scheduler();
    }
  }

  /** The end of this agent. */
  enum Ending {
    FAR,
    /** A guest that is being received is discarded; one that comes to be this host's goes back, if the row says so in time. */
    NEAR,
    /** Nothing more is asked: the row and the other host settle what is in doubt. */
    NOW
  }

  /** How far it has come. */
  enum Phase {
    RECEIVING,
    READY,
    RUNNING,
    DISCARDED
  }

  private final DestinationSession session;
  private final MigrationLog log;
  private final OwnershipDialogue dialogue;
  private volatile Phase phase = Phase.RECEIVING;
  private volatile Ending ending = Ending.FAR;
  /** What another thread has told the source. */
  private final AtomicReference<@Nullable Refusal> refusedAside = new AtomicReference<>();

  DestinationMigration(DestinationSession session) {
    this.session = session;
    this.log = session.log();
    this.dialogue = OwnershipDialogue.ofDestination(session.environment().line(), session.spec().id(),
        session.migration(), session.epoch().next(), new DialogueLog(log));
  }

  Phase phase() {
    return phase;
  }

  DestinationSession session() {
    return session;
  }

  /** The coordinator has said of the VM, unasked, which epochs are over. */
  void hear(CoordinatorsWord said) {
    dialogue.overrule(said);
  }

  /** Has it end; the caller interrupts its task, too. */
  void end(Ending how) {
    ending = how;
    session.link().close();
  }

  /** Receives the guest and runs it, or discards it. Never throws for what a peer, the network or the coordinator does. */
  void run() {
    try (var link = session.link()) {
      drive();
    }
  }

  /** The link is closed only after this: a refusal must still go out. */
  private void drive() {
    Reception now = new Receiving(log);
    while (now instanceof Receiving receiving) {
      now = receiveAndSettle(receiving);
      note(now);
    }
    switch (now) {
      case Owned owned -> activateAndCleanUp(owned);
      case InDoubt undecided -> undecided.leave();
      case Receiving _ -> throw new IllegalStateException("still received");
      case Discarded _ -> {
      }
    }
  }

  private void note(Reception now) {
    phase = switch (now) {
      case Receiving _ -> Phase.RECEIVING;
      case InDoubt _ -> Phase.READY;
      // Not before it runs.
      case Owned _ -> Phase.READY;
      case Discarded _ -> Phase.DISCARDED;
    };
  }

  private Reception receiveAndSettle(Receiving receiving) {
    Ready ready;
    try {
      ready = receive(receiving);
    } catch (MigrationFailure e) {
      Refusal told = refusedAside.get();
      return told == null
          ? refuse(receiving, e.code(), e.getMessage())
          : receiving.discard(told.getCode() + " " + told.getMessage());
    } catch (InterruptedException e) {
      return receiving.discard("this agent is shutting down");
    } catch (RuntimeException | Error e) {
      log.warn("invariant violated", e);
      return refuse(receiving, FailureCode.INTERNAL, e.toString());
    }
    InDoubt inDoubt = receiving.inDoubt();
    note(inDoubt);
    return settle(inDoubt, ready);
  }

  /** Everything up to the moment before READY. */
  private Ready receive(Receiving receiving) throws MigrationFailure, InterruptedException {
    if (receiving.contents().isEmpty()) {
      session.enter(MigrationStage.SETUP);
      new Setup(session, receiving).run(this::failedAside);
    }
    return receiving.contents().orElseThrow().await();
  }

  private Reception settle(InDoubt inDoubt, Ready ready) {
    try {
      return hearSource(inDoubt, ready);
    } catch (InterruptedException e) {
      return ending == Ending.NEAR ? askRow(inDoubt, "this agent is shutting down") : inDoubt;
    } catch (MigrationFailure e) {
      return askRow(inDoubt, e.getMessage());
    } catch (RuntimeException | Error e) {
      // Whatever went wrong, the row may have decided: only its ruling ends the doubt.
      log.warn("invariant violated", e);
      return askRow(inDoubt, e.toString());
    }
  }

  private Reception hearSource(InDoubt inDoubt, Ready ready) throws MigrationFailure, InterruptedException {
    session.link().send(ready);
    session.enter(MigrationStage.STORAGE_HANDOFF);
    MessageLite message = session.link().receiveAny(Deadline.after(GO_TIMEOUT, session.environment().ticker()),
        Go.class, BackToPreCopy.class);
    if (message instanceof Go go) {
      Optional<Ruling.Ours> relayed = dialogue.relayed(go.getEpoch());
      return relayed.isPresent()
          ? inDoubt.own(relayed.get())
          : askRow(inDoubt, "GO names epoch %d, expected %s".formatted(go.getEpoch(), session.epoch().next()));
    }
    Receiving again = inDoubt.backToPreCopy();
    // The source sends no page before it has read this: streams may be faster than the control stream.
    session.link().send(BackToPreCopy.getDefaultInstance());
    return again;
  }

  private Reception askRow(InDoubt inDoubt, String reason) {
    log.warn("in doubt, asking the coordinator: {}", reason);
    while (true) {
      try {
        return switch (dialogue.abortUnlessCommitted()) {
          case Ruling.Ours ours -> inDoubt.own(ours);
          case Ruling.NotOurs notOurs -> inDoubt.discard(notOurs);
        };
      } catch (InterruptedException e) {
        if (ending != Ending.NEAR) {
          log.warn("this agent ends before the row has decided: the row and the other host settle it");
          return inDoubt;
        }
      }
    }
  }

  private void activateAndCleanUp(Owned owned) {
    try {
      Optional<Ruling.NotOurs> gone = new Activation(session, owned, dialogue, () -> ending).run();
      if (gone.isPresent()) {
        session.link().send(refusal(FailureCode.DISKS_UNAVAILABLE, "the VM could not be run here"));
        note(owned.givenBack(gone.get()));
        return;
      }
      phase = Phase.RUNNING;
      networkCleanup(owned);
    } catch (InterruptedException e) {
      log.warn("{}: this agent is shutting down", cutShort());
    } catch (RuntimeException | Error e) {
      log.warn(cutShort(), e);
    }
  }

  private String cutShort() {
    return phase == Phase.READY
        ? "the guest is committed to this host and has not run"
        : "the migration's report is cut short";
  }

  private void networkCleanup(Owned owned) throws InterruptedException {
    session.enter(MigrationStage.NETWORK_CLEANUP);
    // The report still takes a moment; a guest that leaves this host meanwhile frees its memory at once.
    owned.giveMemoryBack();
    new NetworkCleanup(session, owned.guest()).run();
    if (session.manner() instanceof Manner.Quick) {
      new StateRestorer(session.environment())
          .discard(StateFiles.name(session.spec().id(), session.migration()), session.log());
    }
  }

  /** Called by another thread than the migration's: names the reason to the source and wakes the migration's task by closing the link. */
  private void failedAside(Throwable cause) {
    FailureCode code = switch (cause) {
      case MigrationFailure failure -> failure.code();
      case DiskException _ -> FailureCode.DISKS_UNAVAILABLE;
      case WireException wire when wire.fault() == WireException.Fault.PAGE_CORRUPTED -> FailureCode.DATA_CORRUPTED;
      case WireException _ -> FailureCode.PROTOCOL_VIOLATION;
      default -> FailureCode.SOURCE_LOST;
    };
    Refusal refusal = refusal(code, String.valueOf(cause.getMessage()));
    // Once: that the link is closed then breaks the streams as well.
    if (refusedAside.compareAndSet(null, refusal)) {
      session.link().send(refusal);
      session.link().close();
    }
  }

  private Discarded refuse(Receiving receiving, FailureCode code, String message) {
    session.link().send(refusal(code, message));
    return receiving.discard(code + " " + message);
  }

  private static Refusal refusal(FailureCode code, String message) {
    return Refusal.newBuilder().setCode(code.name()).setMessage(message).build();
  }
}
