package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.HostedCopies;
import dev.pageferry.agent.migration.DialogueLog;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationConnector;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.PageSpace;
import dev.pageferry.agent.migration.SourceLink;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.agent.ownership.Ruling.NotOurs.Why;
import dev.pageferry.agent.savedstate.SavedStates;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.migration.MigrationStage;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.StateSaved;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;

/** One attempt to move a guest away from this host: straight-line code on a task of its own. */
public final class SourceMigration implements Departure {
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration BACK_OFF = Duration.ofSeconds(1);
  /** Switchovers that may be put off before the attempt ends; those of too long a pause are fewer ({@link StopAndCopy}). */
  private static final int MAX_SWITCHOVERS = 5;

  /**
   * What is to be moved, and where.
   *
   * @param destinationHost its name
   */
  public record Order(MigrationId migration, OwnershipEpoch epoch, Guest guest, String destinationHost,
      HostPort destination, byte[] token, SourceOptions options, Manner manner) {
    boolean copiesDisks() {
      return manner instanceof Manner.Live live && live.copiesDisks();
    }
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

  private final Order order;
  private final Environment environment;
  private final MigrationLog log;
  private final SourceJournal journal;
  private final Attempt attempt;
  private final OwnershipDialogue dialogue;
  private final Settlement settlement;

  public SourceMigration(Order order, Environment environment) {
    this.order = order;
    this.environment = environment;
    this.log = environment.logs().of(order.migration(), order.guest().spec().name());
    this.journal = new SourceJournal(log, environment.scheduler());
    this.attempt = new Attempt(order.options().timeout(), environment.ticker());
    this.dialogue = OwnershipDialogue.ofSource(environment.line(), order.guest().spec().id(), order.migration(),
        order.epoch(), new DialogueLog(journal::inDoubt, ruling -> {
          // Said where it is acted upon: the guest is paused.
        }));
    this.settlement = new Settlement(order, environment, attempt, journal, dialogue, log);
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
      settlement.withdrawAfter(e);
    }
  }

  /** The session has tables as large as the guest has pages, for which the agent's own heap may be too small. */
  private SourceSession session(SourceLink link) throws MigrationFailure {
    Optional<DiskMirror> mirror = Optional.empty();
    try {
      PageSpace space = space();
      if (order.copiesDisks()) {
        mirror = Optional.of(DiskMirror.open(order.guest(), environment.disks(), space, order.options().streams()));
      }
      return new SourceSession(order, environment, link, attempt, journal, dialogue, space, mirror);
    } catch (OutOfMemoryError e) {
      mirror.ifPresent(DiskMirror::close);
      throw new MigrationFailure.Stopped(FailureCode.INTERNAL, "the agent's own heap is full: " + e.getMessage());
    }
  }

  private PageSpace space() throws MigrationFailure {
    try {
      return order.copiesDisks()
          ? PageSpace.ofRamAndDisks(order.guest().spec())
          : PageSpace.ofRam(order.guest().spec());
    } catch (IllegalArgumentException e) {
      throw new MigrationFailure.Stopped(FailureCode.DISKS_UNAVAILABLE, String.valueOf(e.getMessage()));
    }
  }

  private void run(SourceSession session) throws InterruptedException {
    Ruling.Final ruling;
    try {
      ruling = switch (order.manner()) {
        case Manner.Live _ -> live(session);
        case Manner.Quick quick -> quick(session, quick);
      };
    } catch (MigrationFailure e) {
      settlement.withdraw(session.link, attempt.reasonFor(e), attempt.isCancelled());
      return;
    } catch (InterruptedException e) {
      if (!attempt.isCancelled()) {
        throw e;
      }
      settlement.withdraw(session.link, Attempt.cancelled(), true);
      return;
    } catch (RuntimeException | Error e) {
      log.warn("invariant violated", e);
      if (!attempt.isCommitting()) {
        settlement.withdraw(session.link, new MigrationFailure.Stopped(FailureCode.INTERNAL, e.toString()), false);
        return;
      }
      // The row may have decided: only its answer may let the guest run again here.
      ruling = new StorageHandoff(session).awaitRuling();
    }
    conclude(session, ruling);
  }

  private void conclude(SourceSession session, Ruling.Final ruling) throws InterruptedException {
    switch (ruling) {
      case Ruling.Ours ours when ours.epoch().equals(order.epoch()) -> settlement.aborted(session.link, ours);
      case Ruling.Ours ours -> settlement.takenBack(session.link, ours);
      case Ruling.NotOurs notOurs when notOurs.why() == Why.COMMITTED -> activation(session, notOurs);
      case Ruling.NotOurs notOurs -> settlement.aborted(notOurs);
    }
  }

  private Ruling.Final live(SourceSession session) throws MigrationFailure, InterruptedException {
    setup(session);
    try {
      preCopyAndStop(session);
      // Point of no return: from here the ownership row, not this host, says who may run the guest.
      return storageHandoff(session);
    } finally {
      session.ownership.dropCommit(session.migration);
    }
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
    int tooLong = 0;
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
      session.ownership.dropCommit(session.migration);
      log.warn("switchover {} of {} put off: {}", switchover, MAX_SWITCHOVERS, end);
      tooLong += end == StopAndCopy.End.PAUSED_TOO_LONG ? 1 : 0;
      if (switchover < MAX_SWITCHOVERS) {
        long backOffNanos = BACK_OFF.multipliedBy(switchover).toNanos();
        environment.scheduler().sleep(Duration.ofNanos(Math.min(backOffNanos, attempt.deadline().remainingNanos())));
        attempt.checkpoint();
      }
    }
    throw putOffTooOften(MAX_SWITCHOVERS - tooLong, tooLong);
  }

  /** Too long pauses alone end an attempt earlier: the coordinator was silent at least once. */
  static MigrationFailure putOffTooOften(int silent, int tooLong) {
    String pauses = tooLong == 0
        ? ""
        : ", and %d because the guest's pause got too long".formatted(tooLong);
    return new MigrationFailure.Stopped(FailureCode.COORDINATOR_UNREACHABLE,
        "%d switchovers were put off because the coordinator did not answer, so that nobody could commit%s; see that the coordinator runs, then migrate again"
            .formatted(silent, pauses));
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
      session.link.close();
      settlement.awaitFate("the destination did not report that the VM runs: " + e.getMessage(),
          session.blackout::secondsSoFar);
      return;
    }
    settlement.arrived(committed);
    enter(MigrationStage.NETWORK_CLEANUP);
    new NetworkCleanup(session).run();
  }

  private SourceLink connect() throws MigrationFailure, InterruptedException {
    enter(MigrationStage.SETUP);
    return environment.connector().connect(order.migration(), new HostId(order.destinationHost()), order.destination(),
        attempt.deadline().orAfter(CONNECT_TIMEOUT));
  }

  @Override
  public boolean cancel() {
    return attempt.cancel();
  }

  /** The VM runs elsewhere, or nowhere: a copy kept for safety may go. */
  public void release(CoordinatorsWord word) {
    dialogue.overrule(word);
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
