package dev.pageferry.agent.migration.destination;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.memory.ChecksumTable;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.ActivationLease;
import dev.pageferry.agent.migration.DestinationLink;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.PageSink;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.ownership.OpenDialogues;
import dev.pageferry.agent.ownership.OwnershipClient.Decision;
import dev.pageferry.agent.ownership.OwnershipClient.Outcome;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.ScriptedRow;
import dev.pageferry.agent.wire.WireException;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.Go;
import dev.pageferry.proto.migration.v1.GuestState;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.migration.v1.Ready;
import dev.pageferry.proto.migration.v1.Vcpu;
import dev.pageferry.proto.migration.v1.VmConfiguration;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A guest that is in doubt is discarded by the row's word alone, whatever else goes wrong. */
@Timeout(60)
class ReceptionTest {
  private static final long BYTES = 4L << 20;
  private static final MigrationId M = new MigrationId("M");
  private static final VmSpec SPEC = VmSpec.diskless(new VmId("v"), "v", BYTES, 1,
      new ProgramSpec("uniform", Map.of("rate", "1MB/s"), BYTES, 1));

  private final HostMemory memory = new HostMemory(4 * BYTES);
  private final ScriptedRow row = new ScriptedRow();
  private final OpenDialogues open = new OpenDialogues();
  private final List<IncomingGuest> running = new CopyOnWriteArrayList<>();
  private final ScriptedLink link = new ScriptedLink();
  private final List<String> logged = new CopyOnWriteArrayList<>();
  private final MigrationLog log = (isWarning, what, values) -> logged.add(what + " " + List.of(values));
  private volatile ActivationLease lease = () -> {
  };
  private IncomingMigrations incoming;

  /** What a source says, one message after another, and what it is told. */
  private static final class ScriptedLink implements DestinationLink {
    private final Queue<Supplier<MessageLite>> words = new ConcurrentLinkedQueue<>();
    private final List<MessageLite> heard = new CopyOnWriteArrayList<>();
    private final Signal changed = Scheduler.SYSTEM.newSignal();
    private final AtomicReference<Optional<PageSink>> stream = new AtomicReference<>(Optional.empty());
    private volatile boolean closed;

    void say(Supplier<MessageLite> word) {
      words.add(word);
      changed.raise();
    }

    boolean heard(Class<?> kind) {
      return heard.stream().anyMatch(kind::isInstance);
    }

    @Override
    public void acceptStreams(int count, byte[] sessionKey, PageSink sink) {
      try {
        stream.set(Optional.of(sink));
        sink.streamOpened(0);
        sink.roundEnded(0, 0);
      } catch (WireException e) {
        throw new AssertionError(e);
      }
    }

    @Override
    public long bytesReceived() {
      return 0;
    }

    @Override
    public void send(MessageLite message) {
      heard.add(message);
    }

    @Override
    public MessageLite receiveAny(Deadline deadline, Class<?>... kinds) throws MigrationFailure, InterruptedException {
      changed.await(() -> closed || !words.isEmpty());
      Supplier<MessageLite> word = words.poll();
      if (word == null) {
        throw new MigrationFailure.PeerLost(FailureCode.SOURCE_LOST, "closed");
      }
      return word.get();
    }

    /** Nothing is said ahead of its turn. */
    @Override
    public boolean awaitNews(Deadline deadline) {
      return false;
    }

    @Override
    public boolean isOpen() {
      return !closed;
    }

    @Override
    public double roundTripSeconds() {
      return 0;
    }

    @Override
    public void close() {
      closed = true;
      stream.getAndSet(Optional.empty()).ifPresent(open -> open.streamClosed(0));
      changed.raise();
    }
  }

  @BeforeEach
  void expect() throws Exception {
    incoming = new IncomingMigrations(new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM), GuestDisks.NONE,
        Optional.empty(), new OwnershipDialogue.Line(row, Scheduler.SYSTEM, new Random(1), open),
        () -> lease.awaitLive(),
        (guest, epoch) -> running.add(guest), (migration, vm) -> log, new Failpoints(Optional.empty()));
    incoming.expect(M, SPEC, new OwnershipEpoch(1), new Manner.Live(false),
        new IncomingMigrations.Pass(new HostId("a"), new byte[]{1}), Duration.ofMinutes(1));
  }

  @AfterEach
  void close() throws InterruptedException {
    incoming.close(Duration.ZERO);
    running.forEach(IncomingGuest::close);
  }

  /** The guest is here, READY is said. */
  private void becomeReady() throws MigrationFailure {
    incoming.admit(Hello.newBuilder().setLowestVersion(1).setHighestVersion(1).setMigrationId(M.value())
        .setToken(ByteString.copyFrom(new byte[]{1})).setStreams(1).build(), link);
    link.say(() -> VmConfiguration.newBuilder().setSpec(SPEC.toMessage()).setEpoch(1)
        .setPageBytes(PageSize.BYTES).build());
    link.say(() -> GuestState.newBuilder().setLastRound(0)
        .setPageDigest(new ChecksumTable(BYTES / PageSize.BYTES).digest())
        .addVcpus(Vcpu.newBuilder().addAllRegisters(List.of(5L, 1L, 0L, 0L, 0L, 0L, 0L, 0L))).build());
    await().until(() -> link.heard(Ready.class));
  }

  private static Decision decision(Outcome outcome, String owner, long epoch) {
    return new Decision(outcome, owner, epoch);
  }

  @Test
  void anUnforeseenExceptionAfterReadyLeavesTheGuestUntilTheRowHasDecided() throws Exception {
    row.silentResolves(3);
    row.resolved(decision(Outcome.COMMITTED, "here", 2));
    becomeReady();
    link.say(() -> {
      throw new IllegalStateException("a bug, by the test");
    });

    await().until(() -> !running.isEmpty());
    assertThat(row.resolveCalls()).isEqualTo(4);
    await().until(() -> incoming.state(M) == IncomingMigrations.State.RUNNING);
  }

  @Test
  void anErrorAfterReadyLeavesTheGuestUntilTheRowHasDecided() throws Exception {
    row.resolved(decision(Outcome.ABORTED, "there", 1));
    becomeReady();
    link.say(() -> {
      throw new OutOfMemoryError("by the test");
    });

    await().until(() -> incoming.state(M) == IncomingMigrations.State.DISCARDED);
    assertThat(row.resolveCalls()).isEqualTo(1);
    await().until(() -> memory.freeBytes() == 4 * BYTES);
  }

  @Test
  void anUnforeseenExceptionBeforeTheGuestRunsGivesItBack() throws Exception {
    lease = () -> {
      throw new IllegalStateException("a bug, by the test");
    };
    row.givenBack(decision(Outcome.TAKEN_BACK, "there", 3));
    becomeReady();
    link.say(() -> Go.newBuilder().setEpoch(2).build());

    await().until(() -> incoming.state(M) == IncomingMigrations.State.DISCARDED);
    assertThat(row.giveBackCalls()).isEqualTo(1);
    assertThat(running).isEmpty();
  }

  @Test
  void anAgentThatEndsAfterReadyAsksTheRowAndGivesBackWhatIsItsOwn() throws Exception {
    row.resolved(decision(Outcome.COMMITTED, "here", 2));
    row.givenBack(decision(Outcome.TAKEN_BACK, "there", 3));
    becomeReady();
    incoming.close(Duration.ofSeconds(30));

    assertThat(incoming.state(M)).isEqualTo(IncomingMigrations.State.DISCARDED);
    assertThat(row.resolveCalls()).isEqualTo(1);
    assertThat(row.giveBackCalls()).isEqualTo(1);
    assertThat(running).isEmpty();
  }

  @Test
  void whatIsNotDecidedWhenTheAgentEndsIsLeftUndecided() throws Exception {
    row.silentResolves(Integer.MAX_VALUE);
    becomeReady();
    incoming.close(Duration.ofMillis(100));

    await().until(() -> row.resolveCalls() > 0);
    assertThat(incoming.state(M)).isEqualTo(IncomingMigrations.State.READY);
    assertThat(running).isEmpty();
    assertThat(memory.freeBytes()).as("the copy is still there").isLessThan(4 * BYTES);
  }

  @Test
  void recordsThatKnowNothingLeaveTheGuestPausedAndOperatorsAreTold() throws Exception {
    row.resolved(decision(Outcome.UNKNOWN, "", 0));
    becomeReady();
    link.close();

    await().until(() -> row.resolveCalls() >= 3);
    assertThat(open.doubts()).singleElement().satisfies(doubt -> {
      assertThat(doubt.vm()).isEqualTo(SPEC.id());
      assertThat(doubt.reason()).contains("gone back in time");
    });
    assertThat(running).isEmpty();
    row.resolved(decision(Outcome.DELETED, "", 0));
    await().until(() -> incoming.state(M) == IncomingMigrations.State.DISCARDED);
    assertThat(open.doubts()).isEmpty();
  }

  @Test
  void aCopyThatTheRowDeniesAnAnswerAboutStaysPaused() throws Exception {
    row.deny();
    becomeReady();
    link.close();

    await().until(() -> row.resolveCalls() >= 3);
    assertThat(incoming.state(M)).isEqualTo(IncomingMigrations.State.READY);
    row.resolved(decision(Outcome.COMMITTED, "here", 2));
    await().until(() -> !running.isEmpty());
    assertThat(running.getFirst().isPausedFor(PauseReason.MIGRATION)).isFalse();
  }

  @Test
  void aGuestThatIsOwnedAndCannotRunIsToldToOperatorsAndLoggedOnce() throws Exception {
    lease = () -> {
      throw new IllegalStateException("no disks, by the test");
    };
    // Its source is gone: it stays here.
    row.givenBack(decision(Outcome.COMMITTED, "here", 2));
    becomeReady();
    link.say(() -> Go.newBuilder().setEpoch(2).build());
    await().until(() -> row.giveBackCalls() >= 3);

    assertThat(open.doubts()).singleElement().satisfies(doubt -> {
      assertThat(doubt.epoch()).isEqualTo(new OwnershipEpoch(2));
      assertThat(doubt.reason()).contains("no disks");
    });
    assertThat(logged).filteredOn(line -> line.contains("cannot run here")).hasSize(1);
    row.started(decision(Outcome.COMMITTED, "here", 2));
    lease = () -> {
    };
    await().until(() -> incoming.state(M) == IncomingMigrations.State.RUNNING);
    assertThat(row.startedCalls()).isEqualTo(1);
    assertThat(open.doubts()).isEmpty();
  }

  /** It cannot run, and its source is silent. */
  private void wantsToGoBackAndStays() throws Exception {
    lease = () -> {
      throw new IllegalStateException("no disks, by the test");
    };
    row.givenBack(decision(Outcome.COMMITTED, "here", 2));
    becomeReady();
    link.say(() -> Go.newBuilder().setEpoch(2).build());
    await().until(() -> row.giveBackCalls() > 0);
  }

  @Test
  void aGuestThatWasToGoBackAsksOnceMoreBeforeItRunsSinceTheFirstQuestionMayBeActedUponLate() throws Exception {
    wantsToGoBackAndStays();
    lease = () -> {
    };
    // No answer yet.
    await().until(() -> row.startedCalls() >= 2);
    assertThat(running).isEmpty();

    row.givenBack(decision(Outcome.TAKEN_BACK, "there", 3));
    row.started(decision(Outcome.ABORTED, "there", 3));
    await().until(() -> incoming.state(M) == IncomingMigrations.State.DISCARDED);
    assertThat(running).isEmpty();
  }

  @Test
  void whatBecameOfAGuestThatIsNotToRunAfterAllIsAskedBeforeItsCopyGoes() throws Exception {
    wantsToGoBackAndStays();
    // An operator has stopped it: no copy of it is to run, and its disks are nobody else's.
    row.started(decision(Outcome.ABORTED, "here", 2));
    lease = () -> {
    };
    await().until(() -> row.startedCalls() > 0);
    row.givenBack(decision(Outcome.COMMITTED, "here", 3));

    await().until(() -> incoming.state(M) == IncomingMigrations.State.DISCARDED);
    assertThat(logged).anyMatch(line -> line.contains("COMMITTED") && line.contains("given back"));
    assertThat(running).isEmpty();
  }

  @Test
  void aGuestThatWasCommittedAndHasNotRunWhenTheAgentEndsIsLoggedAsSuch() throws Exception {
    lease = () -> {
      throw new IllegalStateException("no disks, by the test");
    };
    becomeReady();
    link.say(() -> Go.newBuilder().setEpoch(2).build());
    await().until(() -> row.giveBackCalls() > 0);
    incoming.close(Duration.ZERO);

    await().until(() -> logged.stream().anyMatch(line -> line.contains("committed to this host and has not run")));
    assertThat(logged).noneMatch(line -> line.contains("report is cut short"));
  }

  @Test
  void aVmThatIsStoppedWhileItArrivesDoesNotRun() throws Exception {
    Promise<Boolean> leaseCame = Scheduler.SYSTEM.newPromise();
    lease = () -> {
      boolean unused = leaseCame.await(Duration.ofSeconds(30)).isPresent();
    };
    // What the row of a VM that is stopped answers: no copy of that epoch may run.
    row.givenBack(decision(Outcome.COMMITTED, "here", 3));
    becomeReady();
    link.say(() -> Go.newBuilder().setEpoch(2).build());
    await().until(() -> incoming.hear(SPEC.id(), CoordinatorsWord.epochIsOver(new OwnershipEpoch(2), false)));
    leaseCame.complete(true);

    await().until(() -> incoming.state(M) == IncomingMigrations.State.DISCARDED);
    assertThat(running).isEmpty();
    assertThat(incoming.hear(SPEC.id(), CoordinatorsWord.epochIsOver(new OwnershipEpoch(2), false))).isFalse();
  }

  @Test
  void theCoordinatorsWordEndsADoubtAboutWhatItsRecordsDoNotKnow() throws Exception {
    row.resolved(decision(Outcome.UNKNOWN, "", 0));
    becomeReady();
    link.close();
    await().until(() -> row.resolveCalls() >= 2);
    assertThat(incoming.hear(SPEC.id(), CoordinatorsWord.epochIsOver(new OwnershipEpoch(2), false))).isTrue();
    await().until(() -> incoming.state(M) == IncomingMigrations.State.DISCARDED);
    assertThat(running).isEmpty();
  }
}
