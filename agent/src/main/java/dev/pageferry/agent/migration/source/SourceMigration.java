package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationConnector;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.OwnershipClient;
import dev.pageferry.agent.migration.OwnershipClient.Decision;
import dev.pageferry.agent.migration.OwnershipClient.Outcome;
import dev.pageferry.agent.migration.PageSpace;
import dev.pageferry.agent.migration.SourceLink;
import dev.pageferry.agent.savedstate.SavedStateWriter.Packing;
import dev.pageferry.agent.savedstate.SavedStates;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.StateFiles;
import dev.pageferry.common.stage.FailureCode;
import dev.pageferry.common.stage.MigrationStage;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.Refusal;
import dev.pageferry.proto.migration.v1.StateSaved;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/** One attempt to move a guest away from this host: straight-line code on a thread of its own. */
public final class SourceMigration {
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration BACK_OFF = Duration.ofSeconds(1);
  private static final Duration FATE_POLL = Duration.ofSeconds(1);
  /** Switchovers that may be put off before the attempt ends; those of too long a pause are fewer ({@link StopAndCopy}). */
  private static final int MAX_SWITCHOVERS = 5;

  /**
   * What is to be moved, and where.
   *
   * @param destinationHost its name
   * @param packing of its state, where that goes by a file
   */
  public record Order(MigrationId migration, OwnershipEpoch epoch, Guest guest, String destinationHost,
      HostPort destination, byte[] token,
      SourceOptions options, Manner manner, Packing packing) {
  }

  /** What a migration reaches the world through. */
  public record Environment(MigrationConnector connector, OwnershipClient ownership, GuestDisks disks,
      Optional<SavedStates> savedStates, HostedCopies copies, MigrationLog.Factory logs, Failpoints failpoints,
      Ticker ticker) {
  }

  /** What becomes of this host's copy of a guest when the row has decided. */
  public interface HostedCopies {
    /** It is of no use any more: the guest belongs to another host, or to nobody. */
    void givenAway(Guest guest);

    /** Whether this copy is still among the guests of this host. */
    default boolean has(Guest guest) {
      return true;
    }

    /** The guest is this host's again, under a later epoch: only ever one with disks. */
    default void takenBack(Guest guest, OwnershipEpoch epoch) {
      throw new IllegalStateException("VM %s was given back to a host that has no disks".formatted(
          guest.spec().name()));
    }
  }

  private final Order order;
  private final Environment environment;
  private final MigrationLog log;
  private final SourceJournal journal;
  private final Attempt attempt;
  private final CountDownLatch released = new CountDownLatch(1);
  /** Set before {@link #released} is counted down. */
  private volatile boolean runsElsewhere;
  /** The last epoch that was said to be over. */
  private final AtomicLong overEpoch = new AtomicLong();

  public SourceMigration(Order order, Environment environment) {
    this.order = order;
    this.environment = environment;
    this.log = environment.logs().of(order.migration(), order.guest().spec().name());
    this.journal = new SourceJournal(log, environment.ticker());
    this.attempt = new Attempt(order.options().timeout(), environment.ticker());
  }

  /** Moves the guest, or leaves it running here. Never throws for what a peer, the network or the coordinator does. */
  public void run() throws InterruptedException {
    attempt.runsOn(Thread.currentThread());
    try (SourceLink link = connect(); SourceSession session = session(link)) {
      run(session);
    } catch (MigrationFailure e) {
      journal.failed(attempt.reasonFor(e), attempt.isCancelled());
    } catch (InterruptedException e) {
      if (!attempt.isCancelled()) {
        throw e;
      }
      journal.failed(Attempt.cancelled(), true);
    }
  }

  /** The session has tables as large as the guest has pages, for which the agent's own heap may be too small. */
  private SourceSession session(SourceLink link) throws MigrationFailure {
    Optional<DiskMirror> mirror = Optional.empty();
    try {
      PageSpace space = space();
      if (order.manner() == Manner.SHARED_NOTHING) {
        mirror = Optional.of(DiskMirror.open(order.guest(), environment.disks(), space, order.options().streams()));
      }
      return new SourceSession(order, environment, link, attempt, journal, space, mirror);
    } catch (OutOfMemoryError e) {
      mirror.ifPresent(DiskMirror::close);
      throw new MigrationFailure.Stopped(FailureCode.INTERNAL, "the agent's own heap is full: " + e.getMessage());
    }
  }

  private PageSpace space() throws MigrationFailure {
    try {
      return order.manner() == Manner.SHARED_NOTHING
          ? PageSpace.ofRamAndDisks(order.guest().spec())
          : PageSpace.ofRam(order.guest().spec());
    } catch (IllegalArgumentException e) {
      throw new MigrationFailure.Stopped(FailureCode.DISKS_UNAVAILABLE, String.valueOf(e.getMessage()));
    }
  }

  private void run(SourceSession session) throws InterruptedException {
    Decision decision;
    try {
      decision = order.manner() == Manner.QUICK ? quick(session) : live(session);
    } catch (MigrationFailure e) {
      withdraw(session, attempt.reasonFor(e), attempt.isCancelled());
      return;
    } catch (InterruptedException e) {
      if (!attempt.isCancelled()) {
        throw e;
      }
      withdraw(session, Attempt.cancelled(), true);
      return;
    } catch (RuntimeException | Error e) {
      log.warn("invariant violated", e);
      if (!attempt.isCommitting()) {
        withdraw(session, new MigrationFailure.Stopped(FailureCode.INTERNAL, e.toString()), false);
        return;
      }
      // The row may have decided: only its answer may let the guest run again here.
      decision = new StorageHandoff(session).awaitDecision();
    }
    if (decision.outcome() == Outcome.COMMITTED) {
      activation(session, decision.epoch());
    } else if (decision.outcome() == Outcome.TAKEN_BACK) {
      // Committed, and given back before this host had heard of either.
      takenBack(session, new OwnershipEpoch(decision.epoch()), "its disks could not be opened there");
    } else {
      aborted(session, decision);
    }
  }

  private Decision live(SourceSession session) throws MigrationFailure, InterruptedException {
    setup(session);
    preCopyAndStop(session);
    // Point of no return: from here the ownership row, not this host, says who may run the guest.
    return storageHandoff(session);
  }

  private Decision quick(SourceSession session) throws MigrationFailure, InterruptedException {
    setup(session);
    journal.enter(MigrationStage.SAVE);
    StateSaved saved = new Save(session).run(order.packing());
    journal.enter(MigrationStage.STORAGE_HANDOFF);
    StorageHandoff handoff = new StorageHandoff(session);
    handoff.releaseDisks();
    // From here on the VM is not lost with this host: so even to go on here takes the row's word.
    attempt.noteSaved();
    Decision noted = session.commitment.noteSaved();
    if (noted.outcome() != Outcome.PENDING) {
      return noted;
    }
    environment.failpoints().at("source.storage-handoff.noted");
    journal.enter(MigrationStage.RESTORE);
    new Restore(session).run(saved);
    // Point of no return.
    return handoff.commit();
  }

  private void setup(SourceSession session) throws MigrationFailure, InterruptedException {
    new Setup(session).run(order.token());
  }

  /** Stages 2 and 3; a switchover that could not ask for its commit, or paused the guest too long, goes back to copying. */
  private void preCopyAndStop(SourceSession session) throws MigrationFailure, InterruptedException {
    CoordinatorProbe coordinator = new CoordinatorProbe(environment.ownership());
    PreCopy preCopy = new PreCopy(session, coordinator);
    StopAndCopy stopAndCopy = new StopAndCopy(session);
    for (int switchover = 1; switchover <= MAX_SWITCHOVERS; switchover++) {
      journal.enter(MigrationStage.PRE_COPY);
      preCopy.run();
      StopAndCopy.End end = StopAndCopy.End.COORDINATOR_SILENT;
      if (coordinator.answers()) {
        journal.enter(MigrationStage.STOP_AND_COPY);
        end = stopAndCopy.run();
      }
      if (end == StopAndCopy.End.READY) {
        return;
      }
      log.warn("switchover {} of {} put off: {}", switchover, MAX_SWITCHOVERS, end);
      if (switchover < MAX_SWITCHOVERS) {
        long backOffNanos = BACK_OFF.multipliedBy(switchover).toNanos();
        Thread.sleep(Duration.ofNanos(Math.min(backOffNanos, attempt.deadline().remainingNanos())));
        attempt.checkpoint();
      }
    }
    throw new MigrationFailure.Stopped(FailureCode.COORDINATOR_UNREACHABLE,
        "%d switchovers were put off, because the coordinator did not answer, so that nobody could commit; see that it runs, then migrate again"
            .formatted(MAX_SWITCHOVERS));
  }

  private Decision storageHandoff(SourceSession session) throws MigrationFailure, InterruptedException {
    journal.enter(MigrationStage.STORAGE_HANDOFF);
    return new StorageHandoff(session).run();
  }

  private void activation(SourceSession session, long committedEpoch) throws InterruptedException {
    journal.enter(MigrationStage.ACTIVATION);
    try {
      new Activation(session).run(committedEpoch);
    } catch (MigrationFailure | RuntimeException | Error e) {
      awaitFate(session, "the destination did not report that the VM runs: " + e.getMessage());
      return;
    }
    environment.copies().givenAway(order.guest());
    retireDisks();
    journal.enter(MigrationStage.NETWORK_CLEANUP);
    new NetworkCleanup(session).run();
  }

  /**
   * Keeps the paused copy of a guest that belongs to the destination until it is known to run there, or nowhere, or to be
   * this host's again because the destination could not open its disks.
   */
  private void awaitFate(SourceSession session, String reason) throws InterruptedException {
    journal.inDoubt(reason);
    session.link.close();
    Optional<Decision> decision;
    while (true) {
      // Looked at before asking: a copy whose epoch is over may be so because it was given back under a later one.
      boolean isReleased = released.getCount() == 0;
      decision = session.commitment.askOnce();
      if (decision.isPresent() && decision.get().outcome() == Outcome.TAKEN_BACK) {
        takenBack(session, new OwnershipEpoch(decision.get().epoch()), reason);
        return;
      }
      if (isReleased && decision.isPresent()) {
        break;
      }
      boolean unused = released.await(FATE_POLL.toMillis(), TimeUnit.MILLISECONDS);
      if (isReleased) {
        Thread.sleep(FATE_POLL);
      }
    }
    journal.handedOver(session.blackout.secondsSoFar());
    environment.copies().givenAway(order.guest());
    if (runsElsewhere && decision.get().outcome() == Outcome.COMMITTED) {
      retireDisks();
    } else if (order.manner() == Manner.SHARED_NOTHING) {
      log.warn("its disks were copied, and stay here too: nobody has said that the VM runs elsewhere");
    }
  }

  /** Removes the disks from here that the guest has at the destination now; what stays is replaced if it comes back. */
  private void retireDisks() {
    if (order.manner() != Manner.SHARED_NOTHING) {
      return;
    }
    try {
      environment.disks().retire(order.guest().spec(), order.epoch());
    } catch (IOException e) {
      log.warn("its disks were copied, and stay here too: {}", String.valueOf(e.getMessage()));
    }
  }

  private void takenBack(SourceSession session, OwnershipEpoch epoch, String reason) throws InterruptedException {
    environment.copies().takenBack(order.guest(), epoch);
    putBack(session, epoch,
        new MigrationFailure.Stopped(FailureCode.DISKS_UNAVAILABLE, "the destination gave the VM back: " + reason),
        false);
  }

  /** The row says that this attempt did not win. */
  private void aborted(SourceSession session, Decision decision) throws InterruptedException {
    MigrationFailure reason = new MigrationFailure.Stopped(FailureCode.ABORTED,
        "the coordinator aborted this migration, as it does when the destination restarted or was not heard of: owner=%s epoch=%d; try again"
            .formatted(decision.ownerHost(),
                decision.epoch()));
    if (decision.outcome() == Outcome.ABORTED && decision.epoch() == order.epoch().value()) {
      rollBack(session, reason, false);
    } else {
      environment.copies().givenAway(order.guest());
      journal.disowned(reason);
    }
  }

  /** The attempt failed before its commit was asked. */
  private void withdraw(SourceSession session, MigrationFailure reason, boolean cancelled)
      throws InterruptedException {
    attempt.end();
    if (attempt.isSaved()) {
      Decision decision = session.commitment.withdraw();
      if (decision.outcome() != Outcome.ABORTED || decision.epoch() != order.epoch().value()) {
        environment.copies().givenAway(order.guest());
        journal.disowned(reason);
        return;
      }
    }
    rollBack(session, reason, cancelled);
  }

  private void rollBack(SourceSession session, MigrationFailure reason, boolean cancelled)
      throws InterruptedException {
    attempt.end();
    session.link.send(Refusal.newBuilder().setCode(reason.code().name()).setMessage(reason.getMessage()).build());
    putBack(session, order.epoch(), reason, cancelled);
  }

  /** Lets the guest run here again, under an epoch of this host's; it stands until its disks are open again. */
  private void putBack(SourceSession session, OwnershipEpoch epoch, MigrationFailure reason, boolean cancelled)
      throws InterruptedException {
    journal.sent(session.link.bytesSent());
    if (order.manner() == Manner.QUICK) {
      // No row names it: the paused copy is the VM.
      session.stateSaver.discard(StateFiles.name(order.guest().spec().id(), order.migration()), log);
    }
    Custody custody = new Custody(order.guest(), environment.disks(), log);
    Optional<String> trouble = custody.putBack(epoch);
    if (trouble.isEmpty()) {
      journal.failed(reason, cancelled);
      return;
    }
    journal.failed(new MigrationFailure.Stopped(reason.code(),
        "%s; the VM stands until its disks can be opened here again: %s".formatted(reason.getMessage(), trouble.get())),
        cancelled);
    // Only the end of this very epoch: a guest that was given back was released under an earlier one, and is the only copy.
    custody.awaitDisks(epoch, () -> isOver(epoch));
    if (isOver(epoch)) {
      environment.copies().givenAway(order.guest());
    }
  }

  private SourceLink connect() throws MigrationFailure, InterruptedException {
    journal.enter(MigrationStage.SETUP);
    return environment.connector().connect(order.migration(), order.destination(),
        attempt.deadline().orAfter(CONNECT_TIMEOUT));
  }

  /** Ends the attempt; false if commit has been asked. */
  public boolean cancel() {
    return attempt.cancel();
  }

  /**
   * The VM runs elsewhere, or nowhere: a copy kept for safety may go.
   *
   * @param over the last epoch whose copies are of no use any more
   * @param elsewhere whether the VM is known to run on another host
   */
  public void release(OwnershipEpoch over, boolean elsewhere) {
    if (elsewhere && order.epoch().compareTo(over) <= 0) {
      runsElsewhere = true;
    }
    overEpoch.accumulateAndGet(over.value(), Math::max);
    if (order.epoch().compareTo(over) <= 0) {
      released.countDown();
    }
  }

  private boolean isOver(OwnershipEpoch epoch) {
    return overEpoch.get() >= epoch.value();
  }

  public SourceStatus status() {
    return journal.status();
  }

  /** Calls back now and soon after every change, until {@link #unfollow}. */
  public void follow(Consumer<SourceStatus> follower) {
    journal.follow(follower);
  }

  public void unfollow(Consumer<SourceStatus> follower) {
    journal.unfollow(follower);
  }
}
