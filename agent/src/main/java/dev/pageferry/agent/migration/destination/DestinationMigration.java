package dev.pageferry.agent.migration.destination;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.disk.DiskException;
import dev.pageferry.agent.disk.IncomingDisks;
import dev.pageferry.agent.guest.GuestBuilder;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.HostLease;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.OwnershipClient;
import dev.pageferry.agent.migration.destination.Activation.GivenBack;
import dev.pageferry.agent.savedstate.SavedStates;
import dev.pageferry.agent.wire.WireException;
import dev.pageferry.common.identity.StateFiles;
import dev.pageferry.common.stage.FailureCode;
import dev.pageferry.common.stage.MigrationStage;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.BackToPreCopy;
import dev.pageferry.proto.migration.v1.DisksFlushed;
import dev.pageferry.proto.migration.v1.FlushDisks;
import dev.pageferry.proto.migration.v1.GuestState;
import dev.pageferry.proto.migration.v1.Refusal;
import dev.pageferry.proto.migration.v1.StateSaved;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** One guest on its way to this host: straight-line code on a thread of its own. */
final class DestinationMigration {
  /** The link's keep-alive ends the wait for a silent source long before. */
  private static final Duration STATE_TIMEOUT = Duration.ofHours(24);

  /** What a migration reaches the world through. */
  record Environment(GuestBuilder guests, GuestDisks disks, Optional<SavedStates> savedStates,
      OwnershipClient ownership, HostLease lease,
      ActiveGuests activeGuests,
      MigrationLog.Factory logs, Failpoints failpoints, Ticker ticker) {
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
  private volatile Phase phase = Phase.RECEIVING;
  private boolean owned;
  /** From READY on disks that came are not this host's to throw away before the row has said so. */
  private Fate diskFate = Fate.COPIES;
  /** Set once no more pages can come. */
  private @Nullable PagePlacement received;
  private @Nullable IncomingGuest vm;
  private Optional<IncomingDisks> incomingDisks = Optional.empty();

  DestinationMigration(DestinationSession session) {
    this.session = session;
    this.log = session.log();
  }

  Phase phase() {
    return phase;
  }

  DestinationSession session() {
    return session;
  }

  /** Receives the guest and runs it, or discards it. Never throws for what a peer, the network or the coordinator does. */
  void run() {
    try (var link = session.link()) {
      runOverOpenLink();
    }
    // What is remembered of a migration is how it ended, not its tables and buffers.
    received = null;
    vm = null;
    incomingDisks = Optional.empty();
  }

  /** The link is closed only after the catch clauses here: a refusal must still go out. */
  private void runOverOpenLink() {
    try {
      if (receive()) {
        if (activation()) {
          networkCleanup();
        }
      } else {
        discard("the coordinator aborted the migration");
      }
    } catch (MigrationFailure e) {
      refuse(e.code(), e.getMessage());
    } catch (InterruptedException e) {
      discard("this agent is shutting down");
    } catch (RuntimeException | Error e) {
      log.warn("invariant violated", e);
      refuse(FailureCode.INTERNAL, e.toString());
    }
  }

  /** Everything until the row has decided. @return whether this host owns the guest now */
  private boolean receive() throws MigrationFailure, InterruptedException {
    enter(MigrationStage.SETUP);
    Setup setup = new Setup(session);
    long start = session.environment().ticker().nanos();
    try {
      vm = setup.run();
    } finally {
      incomingDisks = setup.disks();
    }
    double populateSeconds = session.environment().ticker().secondsSince(start);
    return session.manner() == Manner.QUICK
        ? receiveSaved(setup, populateSeconds)
        : receivePages(setup, populateSeconds);
  }

  private boolean receivePages(Setup setup, double populateSeconds) throws MigrationFailure, InterruptedException {
    PagePlacement placement = new PagePlacement(guest(), incomingDisks, session.streams(),
        session.environment().ticker(), this::streamFailed);
    try {
      return receivePages(placement, setup, populateSeconds);
    } finally {
      placement.endDisks();
    }
  }

  private boolean receivePages(PagePlacement placement, Setup setup, double populateSeconds)
      throws MigrationFailure, InterruptedException {
    setup.accept(placement, populateSeconds);
    StopAndCopy stopAndCopy = new StopAndCopy(session, guest(), placement);
    while (true) {
      enter(MigrationStage.PRE_COPY);
      GuestState state = receiveState(placement);
      enter(MigrationStage.STOP_AND_COPY);
      // READY is said by this: from then on only the coordinator's word may discard the guest.
      diskFate = Fate.MAYBE_THE_DISKS;
      try {
        stopAndCopy.run(state);
      } catch (MigrationFailure e) {
        diskFate = Fate.COPIES;
        throw e;
      }
      phase = Phase.READY;
      enter(MigrationStage.STORAGE_HANDOFF);
      Verdict verdict = new Verdict(session);
      switch (verdict.await()) {
        case RUN -> {
          received = placement;
          return true;
        }
        case DISCARD -> {
          diskFate = verdict.diskFate();
          return false;
        }
        case BACK_TO_PRE_COPY -> {
          diskFate = Fate.COPIES;
          placement.reopen();
          // The source sends no page before it has read this: streams may be faster than the control stream.
          session.link().send(BackToPreCopy.getDefaultInstance());
          phase = Phase.RECEIVING;
        }
      }
    }
  }

  private GuestState receiveState(PagePlacement placement) throws MigrationFailure, InterruptedException {
    while (true) {
      MessageLite message = session.link().receiveAny(Deadline.after(STATE_TIMEOUT, session.environment().ticker()),
          GuestState.class, FlushDisks.class);
      if (message instanceof GuestState state) {
        return state;
      }
      placement.flushDisks();
      session.link().send(DisksFlushed.getDefaultInstance());
    }
  }

  /** A quick migration: the state comes by a file on shared storage. */
  private boolean receiveSaved(Setup setup, double populateSeconds) throws MigrationFailure, InterruptedException {
    setup.acceptFile(populateSeconds);
    StateSaved saved = session.link().receive(StateSaved.class,
        Deadline.after(STATE_TIMEOUT, session.environment().ticker()));
    enter(MigrationStage.RESTORE);
    new Restore(session, guest()).run(saved);
    // READY has been said: from here on only the coordinator's word may discard the guest.
    phase = Phase.READY;
    Verdict verdict = new Verdict(session);
    return switch (verdict.await()) {
      case RUN -> true;
      case DISCARD -> false;
      case BACK_TO_PRE_COPY -> verdict.resolve("the source speaks of pre-copy") == Verdict.Kind.RUN;
    };
  }

  /** @return false if the guest went back to its source, because its disks could not be opened here */
  private boolean activation() throws InterruptedException {
    enter(MigrationStage.ACTIVATION);
    // Whatever goes wrong from here on, the guest is this host's and is not to be discarded.
    owned = true;
    Activation activation = new Activation(session, guest());
    Optional<GivenBack> givenBack = activation.openDisksOrGiveUp(incomingDisks);
    if (givenBack.isPresent()) {
      owned = false;
      diskFate = givenBack.get().diskFate();
      refuse(FailureCode.DISKS_UNAVAILABLE, givenBack.get().reason());
      return false;
    }
    activation.run();
    phase = Phase.RUNNING;
    return true;
  }

  private void networkCleanup() throws InterruptedException {
    enter(MigrationStage.NETWORK_CLEANUP);
    if (received != null) {
      // The report still takes a moment; a guest that leaves this host meanwhile frees its memory at once.
      received.giveMemoryBack();
    }
    new NetworkCleanup(session, guest()).run();
    if (session.manner() == Manner.QUICK) {
      new StateRestorer(session.environment())
          .discard(StateFiles.name(session.spec().id(), session.migration()), session.log());
    }
  }

  /** Called by a stream's thread: names the reason to the source and wakes the migration's thread by closing the link. */
  private void streamFailed(Throwable cause) {
    FailureCode code = FailureCode.SOURCE_LOST;
    if (cause instanceof DiskException) {
      code = FailureCode.DISKS_UNAVAILABLE;
    } else if (cause instanceof WireException wire) {
      code = wire.fault() == WireException.Fault.PAGE_CORRUPTED
          ? FailureCode.DATA_CORRUPTED
          : FailureCode.PROTOCOL_VIOLATION;
    }
    log.warn("data stream failed: {}", String.valueOf(cause.getMessage()));
    session.link().send(refusal(code, String.valueOf(cause.getMessage())));
    session.link().close();
  }

  private void refuse(FailureCode code, String message) {
    session.link().send(refusal(code, message));
    discard(code + " " + message);
  }

  private static Refusal refusal(FailureCode code, String message) {
    return Refusal.newBuilder().setCode(code.name()).setMessage(message).build();
  }

  private void discard(String reason) {
    if (owned) {
      log.warn("the migration's report is cut short: {}", reason);
      return;
    }
    log.info("discarded: {}", reason);
    phase = Phase.DISCARDED;
    if (vm != null) {
      vm.close();
    }
    if (incomingDisks.isPresent()) {
      try {
        switch (diskFate) {
          case COPIES -> incomingDisks.get().discard();
          case MAYBE_THE_DISKS -> {
            incomingDisks.get().close();
            log.warn("the disks that came stay on this host's storage until it is known whose they are");
          }
        }
      } catch (IOException e) {
        log.warn("copies of its disks stay on this host's storage: {}", String.valueOf(e.getMessage()));
      }
    }
  }

  private IncomingGuest guest() {
    if (vm == null) {
      throw new IllegalStateException("setup has not built the guest");
    }
    return vm;
  }

  private void enter(MigrationStage stage) {
    log.info("stage={} begins at the destination", stage);
  }
}
