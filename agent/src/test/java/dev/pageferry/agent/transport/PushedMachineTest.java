package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.SourceMigration;
import dev.pageferry.agent.migration.source.SourceOptions;
import dev.pageferry.agent.migration.source.SourceOptions.OnStall;
import dev.pageferry.agent.migration.source.SourceStatus;
import dev.pageferry.agent.migration.source.SourceStatus.State;
import dev.pageferry.agent.ownership.OwnershipClient.Outcome;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Rulings;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.FailureCode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A machine of another kind, whose pages are pushed to us, moves through both sides and over real sockets as the built-in one. */
class PushedMachineTest {
  private static final long BYTES = 16L << 20;
  private static final int FEW_PAGES = 16;
  /** More than one round takes. */
  private static final int MANY_PAGES = 2048;
  private static final OwnershipEpoch EPOCH = new OwnershipEpoch(1);
  private static final MigrationId MIGRATION = new MigrationId("m-1");
  private static final byte[] TOKEN = "token".getBytes(StandardCharsets.UTF_8);
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final PushingMachine.Kind kind = new PushingMachine.Kind();
  private final FakeLedger ledger = new FakeLedger();
  private final EventLoops loops = new EventLoops(2);
  private final List<IncomingGuest> arrived = new CopyOnWriteArrayList<>();
  private final List<Guest> givenAway = new CopyOnWriteArrayList<>();
  private final IncomingMigrations incoming = new IncomingMigrations(kind, GuestDisks.NONE, Optional.empty(), line(1),
      () -> {
      }, (vm, epoch) -> arrived.add(vm), (migration, vm) -> MigrationLog.SILENT, new Failpoints(Optional.empty()));
  private PushingMachine machine;
  private MigrationServer server;

  @BeforeEach
  void listen() throws Exception {
    server = MigrationServer.listen(loops, new HostPort("127.0.0.1", 0), MigrationTls.NONE, incoming);
    machine = skeleton(FEW_PAGES);
  }

  private PushingMachine skeleton(int hotPages) throws Exception {
    return (PushingMachine) kind.skeleton(new PushingMachine.Spec(new VmId("vm-1"), "pushing", BYTES, hotPages));
  }

  private void boot(int hotPages) throws Exception {
    machine.close();
    machine = skeleton(hotPages);
    machine.boot(DiskClaim.orderly("vm-1", 1), Set.of());
    machine.runOn(Rulings.leaveToRun());
    assertThat(machine.awaitFirstSign(PATIENCE.toMillis())).isPositive();
  }

  @AfterEach
  void close() throws Exception {
    incoming.close(Duration.ZERO);
    server.close();
    arrived.forEach(IncomingGuest::close);
    machine.close();
    loops.close();
  }

  private OwnershipDialogue.Line line(long seed) {
    return new OwnershipDialogue.Line(ledger, Scheduler.SYSTEM, new Random(seed));
  }

  private SourceStatus move(int streams) throws Exception {
    ledger.begin(MIGRATION, EPOCH.value(), "a", "b");
    incoming.expect(MIGRATION, kind.spec(machine.spec().toMessage()), EPOCH, new Manner.Live(false),
        new IncomingMigrations.Pass(new HostId("a"), TOKEN), PATIENCE);
    SourceMigration migration = new SourceMigration(
        new SourceMigration.Order(MIGRATION, EPOCH, machine, "b", new HostPort("127.0.0.1", server.port()), TOKEN,
            new SourceOptions(Duration.ofMillis(500), 0, streams, OnStall.SWITCH, PATIENCE), new Manner.Live(false)),
        new SourceMigration.Environment(new MigrationClient(loops, new CongestionControl(CongestionControl.DEFAULT),
            MigrationTls.NONE),
            line(2), GuestDisks.NONE, Optional.empty(), (guest, ruling) -> givenAway.add(guest),
            (id, name) -> MigrationLog.SILENT, new Failpoints(Optional.empty())));
    migration.run();
    return migration.status();
  }

  private PushingMachine assertArrived(SourceStatus status) throws Exception {
    assertThat(status.state()).as("%s", status.failure()).isEqualTo(State.COMPLETED);
    assertThat(givenAway).containsExactly(machine);
    assertThat(machine.isPaused()).isTrue();
    assertThat(arrived).hasSize(1);
    PushingMachine there = (PushingMachine) arrived.getFirst();
    await().atMost(PATIENCE).until(() -> there.writes() > machine.writes());
    there.pause(PauseReason.OPERATOR);
    assertThat(there.holdsWhatItsWritesLeave()).isTrue();
    return there;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void aRunningMachineThatPushesItsPagesArrivesToTheByteAndRunsOn(int streams) throws Exception {
    boot(FEW_PAGES);

    SourceStatus status = move(streams);

    assertArrived(status);
    assertThat(status.rounds()).as("a pass is cut into rounds").hasSizeGreaterThan(4);
    assertThat(status.rounds().getLast().dirtyPagesAfter()).isZero();
    assertThat(status.progress().done()).isEqualTo(1);
    assertThat(status.guestSpeed().before()).as("it counts no steps").isEmpty();
    assertThat(status.guestSpeed().after()).isEmpty();
    assertThat(machine.isPushing()).as("it is told to push no more").isFalse();
    assertThat(machine.holdsWhatItsWritesLeave()).as("the check finds what it is to find").isTrue();
  }

  @Test
  void aRestOfSeveralRoundsIsAllThereBeforeTheStateIsAskedFor() throws Exception {
    boot(MANY_PAGES);

    SourceStatus status = move(2);

    assertArrived(status);
    assertThat(status.rounds().getLast().skippedPages()).isZero();
  }

  @Test
  void theCheckOfTheseTestsFindsAByteThatDiffers() throws Exception {
    boot(FEW_PAGES);
    machine.pause(PauseReason.OPERATOR);
    machine.ram().putLong(4096 * 7 + 4088, 1);
    assertThat(machine.holdsWhatItsWritesLeave()).isFalse();
  }

  @Test
  void aMachineThatWasLetRunAgainBetweenTwoSwitchoversLosesNoWrite() throws Exception {
    boot(MANY_PAGES);
    ledger.silentAtNextPause();

    assertArrived(move(2));

    assertThat(ledger.wasSilentAtPause()).isTrue();
    assertThat(machine.restsPushed()).as("both switchovers had all pages").isGreaterThanOrEqualTo(2);
  }

  @Test
  void aMachineThatTheOperatorPausedArrivesPaused() throws Exception {
    boot(FEW_PAGES);
    machine.pause(PauseReason.OPERATOR);
    long writes = machine.writes();

    SourceStatus status = move(2);

    assertThat(status.state()).as("%s", status.failure()).isEqualTo(State.COMPLETED);
    PushingMachine there = (PushingMachine) arrived.getFirst();
    assertThat(there.isPausedFor(PauseReason.OPERATOR)).isTrue();
    assertThat(there.isPausedFor(PauseReason.MIGRATION)).isFalse();
    assertThat(there.writes()).isEqualTo(writes);
    assertThat(there.holdsWhatItsWritesLeave()).isTrue();
  }

  @Test
  void aMachineThatCannotSayItsPagesRunsOnWhereItIs() throws Exception {
    boot(FEW_PAGES);
    machine.breaks(new IOException("the socket of the machine is closed"));

    SourceStatus status = move(2);

    assertThat(status.state()).isEqualTo(State.ROLLED_BACK);
    assertThat(status.failure()).hasValueSatisfying(failure -> {
      assertThat(failure.code()).isEqualTo(FailureCode.STATE_UNAVAILABLE);
      assertThat(failure.message()).contains("the socket of the machine is closed");
    });
    assertThat(ledger.decide(MIGRATION, Outcome.ABORTED).outcome()).isEqualTo(Outcome.ABORTED);
    assertThat(machine.isPaused()).isFalse();
    assertThat(machine.isPushing()).isFalse();
    long writes = machine.writes();
    await().atMost(PATIENCE).until(() -> machine.writes() > writes);
    assertThat(arrived).isEmpty();
  }

  @Test
  void aMachineThatHangsDoesNotHideThatTheDestinationIsGone() throws Exception {
    boot(FEW_PAGES);
    machine.fallsSilent();
    FutureTask<Boolean> end = new FutureTask<>(() -> {
      await().atMost(PATIENCE).until(machine::isWaitedFor);
      server.close();
      incoming.close(Duration.ZERO);
      return true;
    });
    Thread _ = Thread.ofVirtual().start(end);

    SourceStatus status = move(2);
    assertThat(end.get()).isTrue();

    assertThat(status.state()).isEqualTo(State.ROLLED_BACK);
    assertThat(status.failure()).hasValueSatisfying(
        failure -> assertThat(failure.code()).as(failure.message()).isNotEqualTo(FailureCode.TIMED_OUT));
    assertThat(machine.isPaused()).isFalse();
    assertThat(arrived).isEmpty();
  }
}
