package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationConnector;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.PageSpace;
import dev.pageferry.agent.migration.SourceLink;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.ownership.LeaveToRun;
import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.agent.ownership.Ruling.NotOurs.Why;
import dev.pageferry.agent.savedstate.SavedStates;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.StateFiles;
import dev.pageferry.common.stage.FailureCode;
import dev.pageferry.common.stage.MigrationStage;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.Refusal;
import dev.pageferry.proto.migration.v1.StateSaved;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One attempt to move a guest away from this host: straight-line code on a task of its own. */
public final class SourceMigration implements Departure {
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration BACK_OFF = Duration.ofSeconds(1);
  private static final Duration FATE_POLL = Duration.ofSeconds(1);
  /** Switchovers that may be put off before the attempt ends; those of too long a pause are fewer ({@link StopAndCopy}). */
  private static final int MAX_SWITCHOVERS = 5;

  /**
   * What is to be moved, and where.
   *
   * @param destinationHost its name
   */
  public record Order(MigrationId migration, OwnershipEpoch epoch, Guest guest, String destinationHost,
      HostPort destination, byte[] token, SourceOptions options, Manner manner) {
  }

  /** What a migration reaches the world through. */
  public record Environment(MigrationConnector connector, OwnershipDialogue.Line line, GuestDisks disks,
      Optional<SavedStates> savedStates, HostedCopies copies, MigrationLog.Factory logs, Failpoints failpoints) {
    public Scheduler scheduler() {
      return line.scheduler();
    }

    public Ticker ticker() {
      return line.scheduler();
    }

    OwnershipClient ownership() {
      return line.client();
    }
  }

  /** What becomes of this host's copy of a guest when the row has decided. */
  public interface HostedCopies {
    /** It is of no use any more: the guest belongs to another host, or to nobody. */
    void givenAway(Guest guest, Ruling.NotOurs ruling);

    /** Whether this copy is still among the guests of this host. */
    default boolean has(Guest guest) {
      return true;
    }

    /** The guest is this host's, perhaps under a later epoch than before. */
    default void ruledOurs(Guest guest, Ruling.Ours ruling) {
    }
  }

  private final Order order;
  private final Environment environment;
  private final MigrationLog log;
  private final SourceJournal journal;
  private final Attempt attempt;
  private final OwnershipDialogue dialogue;
  private final Aftermath aftermath;
  private final Signal coordinatorSpoke;
  /** The last thing that the coordinator said of this copy by itself. */
  private volatile @Nullable CoordinatorsWord lastWord;
  private volatile boolean runsElsewhere;

  public SourceMigration(Order order, Environment environment) {
    this.order = order;
    this.environment = environment;
    this.log = environment.logs().of(order.migration(), order.guest().spec().name());
    this.journal = new SourceJournal(log, environment.scheduler());
    this.attempt = new Attempt(order.options().timeout(), environment.ticker());
    this.dialogue = OwnershipDialogue.ofSource(environment.line(), order.guest().spec().id(), order.migration(),
        order.epoch(), listener());
    this.aftermath = new Aftermath(order.guest(), environment, dialogue, log);
    this.coordinatorSpoke = environment.scheduler().newSignal();
  }

  private OwnershipDialogue.Listener listener() {
    return new OwnershipDialogue.Listener() {
      @Override
      public void waits(String reason) {
        journal.inDoubt(reason);
      }

      @Override
      public void ruled(Ruling.Final ruling) {
        log.info("the row says: {}", ruling);
      }
    };
  }

  /** Moves the guest, or leaves it running here. Never throws for what a peer, the network or the coordinator does. */
  public void run() throws InterruptedException {
    attempt.runsOn(environment.scheduler().current());
    try (SourceLink link = connect(); SourceSession session = session(link)) {
      run(session);
    } catch (MigrationFailure e) {
      journal.failed(attempt.reasonFor(e), attempt.isCancelled());
    } catch (InterruptedException e) {
      if (!attempt.isCancelled()) {
        throw e;
      }
      journal.failed(Attempt.cancelled(), true);
    } catch (RuntimeException | Error e) {
      log.warn("invariant violated", e);
      settleAfter(e);
    }
  }

  /** Something that nobody foresaw ended the attempt at any place: the guest is still this host's to let run, or to give up. */
  private void settleAfter(Throwable cause) throws InterruptedException {
    attempt.end();
    MigrationFailure reason = new MigrationFailure.Stopped(FailureCode.INTERNAL, cause.toString());
    if (!environment.copies().has(order.guest())) {
      // It was given up before: only the report is cut short.
      journal.handedOver(0);
      return;
    }
    while (true) {
      try {
        switch (aftermath.withdraw()) {
          case Aftermath.Leave.Given given -> runHere(given.leave(), reason, attempt.isCancelled());
          case Aftermath.Leave.Refused refused when refused.ruling().why() == Why.COMMITTED ->
            awaitFate(Optional.empty(), reason.getMessage());
          case Aftermath.Leave.Refused refused -> disown(refused.ruling(), reason);
        }
        return;
      } catch (RuntimeException | Error e) {
        log.warn("the guest stays paused, tried again", e);
        environment.scheduler().sleep(FATE_POLL);
      }
    }
  }

  /** The session has tables as large as the guest has pages, for which the agent's own heap may be too small. */
  private SourceSession session(SourceLink link) throws MigrationFailure {
    Optional<DiskMirror> mirror = Optional.empty();
    try {
      PageSpace space = space();
      if (copiesDisks()) {
        mirror = Optional.of(DiskMirror.open(order.guest(), environment.disks(), space, order.options().streams()));
      }
      return new SourceSession(order, environment, link, attempt, journal, dialogue, space, mirror);
    } catch (OutOfMemoryError e) {
      mirror.ifPresent(DiskMirror::close);
      throw new MigrationFailure.Stopped(FailureCode.INTERNAL, "the agent's own heap is full: " + e.getMessage());
    }
  }

  private boolean copiesDisks() {
    return order.manner() instanceof Manner.Live live && live.copiesDisks();
  }

  private PageSpace space() throws MigrationFailure {
    try {
      return copiesDisks() ? PageSpace.ofRamAndDisks(order.guest().spec()) : PageSpace.ofRam(order.guest().spec());
    } catch (IllegalArgumentException e) {
      throw new MigrationFailure.Stopped(FailureCode.DISKS_UNAVAILABLE, String.valueOf(e.getMessage()));
    }
  }

  private void run(SourceSession session) throws InterruptedException {
    Ruling.Final ruling;
    try {
      ruling = switch (order.manner()) {
        case Manner.Live unused -> live(session);
        case Manner.Quick quick -> quick(session, quick);
      };
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
      ruling = new StorageHandoff(session).awaitRuling();
    }
    conclude(session, ruling);
  }

  private void conclude(SourceSession session, Ruling.Final ruling) throws InterruptedException {
    switch (ruling) {
      case Ruling.Ours ours when ours.epoch().equals(order.epoch()) -> rollBack(session, ours, aborted(ours), false);
      // Committed, and given back before this host had heard of either.
      case Ruling.Ours ours -> takenBack(session, ours, "its disks could not be opened there");
      case Ruling.NotOurs notOurs when notOurs.why() == Why.COMMITTED -> activation(session, notOurs);
      case Ruling.NotOurs notOurs -> disown(notOurs, aborted(notOurs));
    }
  }

  private Ruling.Final live(SourceSession session) throws MigrationFailure, InterruptedException {
    setup(session);
    preCopyAndStop(session);
    // Point of no return: from here the ownership row, not this host, says who may run the guest.
    return storageHandoff(session);
  }

  private Ruling.Final quick(SourceSession session, Manner.Quick quick) throws MigrationFailure, InterruptedException {
    setup(session);
    enter(MigrationStage.SAVE);
    StateSaved saved = new Save(session).run(quick.packing());
    enter(MigrationStage.STORAGE_HANDOFF);
    StorageHandoff handoff = new StorageHandoff(session);
    handoff.releaseDisks();
    // From here on the VM is not lost with this host: so even to go on here takes the row's word.
    attempt.checkpoint();
    Optional<Ruling.Final> decidedBefore = dialogue.noteSaved();
    if (decidedBefore.isPresent()) {
      return decidedBefore.get();
    }
    environment.failpoints().at("source.storage-handoff.noted");
    enter(MigrationStage.RESTORE);
    new Restore(session).run(saved);
    // Point of no return.
    return handoff.commit();
  }

  /** The one place at which a migration goes from stage to stage. */
  private void enter(MigrationStage stage) throws InterruptedException {
    journal.enter(stage);
    environment.failpoints().entering("source", stage);
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
      enter(MigrationStage.PRE_COPY);
      preCopy.run();
      StopAndCopy.End end = StopAndCopy.End.COORDINATOR_SILENT;
      if (coordinator.answers()) {
        enter(MigrationStage.STOP_AND_COPY);
        end = stopAndCopy.run();
      }
      if (end == StopAndCopy.End.READY) {
        return;
      }
      log.warn("switchover {} of {} put off: {}", switchover, MAX_SWITCHOVERS, end);
      if (switchover < MAX_SWITCHOVERS) {
        long backOffNanos = BACK_OFF.multipliedBy(switchover).toNanos();
        environment.scheduler().sleep(Duration.ofNanos(Math.min(backOffNanos, attempt.deadline().remainingNanos())));
        attempt.checkpoint();
      }
    }
    throw new MigrationFailure.Stopped(FailureCode.COORDINATOR_UNREACHABLE,
        "%d switchovers were put off, because the coordinator did not answer, so that nobody could commit; see that it runs, then migrate again"
            .formatted(MAX_SWITCHOVERS));
  }

  private Ruling.Final storageHandoff(SourceSession session) throws MigrationFailure, InterruptedException {
    enter(MigrationStage.STORAGE_HANDOFF);
    return new StorageHandoff(session).run();
  }

  private void activation(SourceSession session, Ruling.NotOurs committed) throws InterruptedException {
    enter(MigrationStage.ACTIVATION);
    try {
      new Activation(session).run(committed.epoch());
    } catch (MigrationFailure | RuntimeException | Error e) {
      awaitFate(Optional.of(session), "the destination did not report that the VM runs: " + e.getMessage());
      return;
    }
    aftermath.giveAway(committed);
    retireDisks();
    enter(MigrationStage.NETWORK_CLEANUP);
    new NetworkCleanup(session).run();
  }

  /**
   * Keeps the paused copy of a guest that belongs to the destination until it is known to run there, or nowhere, or to be
   * this host's again because the destination could not open its disks.
   */
  private void awaitFate(Optional<SourceSession> session, String reason) throws InterruptedException {
    journal.inDoubt(reason);
    session.ifPresent(each -> each.link.close());
    while (true) {
      // Looked at before asking: a copy whose epoch is over may be so because it was given back under a later one.
      boolean isReleased = isOver(order.epoch());
      switch (dialogue.askOnce()) {
        case Ruling.Ours ours -> {
          runHere(ours, givenBack(reason), false);
          return;
        }
        case Ruling.NotOurs notOurs when isReleased -> {
          handedOver(session, notOurs);
          return;
        }
        // The VM is the destination's, which may still give it back; or the coordinator did not answer.
        case Ruling.NotOurs unused -> coordinatorSpoke.await(() -> isOver(order.epoch()), FATE_POLL);
        case Ruling.Pending() -> environment.scheduler().sleep(FATE_POLL);
        case Ruling.Denied unused -> environment.scheduler().sleep(FATE_POLL);
        case Ruling.RecordsUnknown() -> environment.scheduler().sleep(FATE_POLL);
      }
    }
  }

  private void handedOver(Optional<SourceSession> session, Ruling.NotOurs ruling) {
    journal.handedOver(session.map(each -> each.blackout.secondsSoFar()).orElse(0.0));
    aftermath.giveAway(ruling);
    if (runsElsewhere && ruling.why() == Why.COMMITTED) {
      retireDisks();
    } else if (copiesDisks()) {
      log.warn("its disks were copied, and stay here too: nobody has said that the VM runs elsewhere");
    }
  }

  private void retireDisks() {
    if (copiesDisks()) {
      aftermath.retireDisks(order.epoch());
    }
  }

  private void takenBack(SourceSession session, Ruling.Ours ours, String reason) throws InterruptedException {
    putBack(session, ours, givenBack(reason), false);
  }

  private static MigrationFailure givenBack(String reason) {
    return new MigrationFailure.Stopped(FailureCode.DISKS_UNAVAILABLE, "the destination gave the VM back: " + reason);
  }

  private static MigrationFailure aborted(Ruling.Final ruling) {
    return new MigrationFailure.Stopped(FailureCode.ABORTED,
        "the coordinator aborted this migration, as it does when the destination restarted or was not heard of: the VM is %s; try again"
            .formatted(ruling));
  }

  /** The attempt failed before its commit was asked. */
  private void withdraw(SourceSession session, MigrationFailure reason, boolean cancelled)
      throws InterruptedException {
    attempt.end();
    switch (aftermath.withdraw()) {
      case Aftermath.Leave.Given given -> rollBack(session, given.leave(), reason, cancelled);
      case Aftermath.Leave.Refused refused -> disown(refused.ruling(), reason);
    }
  }

  private void disown(Ruling.NotOurs ruling, MigrationFailure reason) {
    aftermath.giveAway(ruling);
    journal.disowned(reason);
  }

  private void rollBack(SourceSession session, LeaveToRun leave, MigrationFailure reason, boolean cancelled)
      throws InterruptedException {
    attempt.end();
    session.link.send(Refusal.newBuilder().setCode(reason.code().name()).setMessage(reason.getMessage()).build());
    putBack(session, leave, reason, cancelled);
  }

  /** Lets the guest run here again, under an epoch of this host's; it stays paused until its disks are open again. */
  private void putBack(SourceSession session, LeaveToRun leave, MigrationFailure reason, boolean cancelled)
      throws InterruptedException {
    journal.sent(session.link.bytesSent());
    runHere(leave, reason, cancelled);
  }

  private void runHere(LeaveToRun leave, MigrationFailure reason, boolean cancelled) throws InterruptedException {
    if (order.manner() instanceof Manner.Quick) {
      // No row names it: the paused copy is the VM.
      new StateSaver(environment.savedStates()).discard(StateFiles.name(order.guest().spec().id(), order.migration()),
          log);
    }
    CoordinatorsWord said = lastWord;
    if (said != null && said.concerns(leave.epoch())) {
      // Later than the leave: the VM was stopped, or is another host's, since.
      disown(said.ruling(), reason);
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
    aftermath.awaitDisks(leave, () -> isOver(leave.epoch()));
    CoordinatorsWord word = lastWord;
    if (word != null && word.concerns(leave.epoch())) {
      aftermath.giveAway(word.ruling());
    }
  }

  private SourceLink connect() throws MigrationFailure, InterruptedException {
    enter(MigrationStage.SETUP);
    return environment.connector().connect(order.migration(), order.destination(),
        attempt.deadline().orAfter(CONNECT_TIMEOUT));
  }

  @Override
  public boolean cancel() {
    return attempt.cancel();
  }

  /** The VM runs elsewhere, or nowhere: a copy kept for safety may go. */
  public void release(CoordinatorsWord word) {
    if (word.runsElsewhere() && word.concerns(order.epoch())) {
      runsElsewhere = true;
    }
    synchronized (this) {
      if (lastWord == null || word.over().compareTo(lastWord.over()) > 0) {
        lastWord = word;
      }
    }
    dialogue.overrule(word);
    coordinatorSpoke.raise();
  }

  private boolean isOver(OwnershipEpoch epoch) {
    CoordinatorsWord word = lastWord;
    return word != null && word.concerns(epoch);
  }

  @Override
  public SourceStatus status() {
    return journal.status();
  }

  @Override
  public void follow(Consumer<SourceStatus> follower) {
    journal.follow(follower);
  }

  @Override
  public void unfollow(Consumer<SourceStatus> follower) {
    journal.unfollow(follower);
  }
}
