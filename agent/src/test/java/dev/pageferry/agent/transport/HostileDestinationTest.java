package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.migration.source.SourceOptions;
import dev.pageferry.agent.migration.source.SourceOptions.OnStall;
import dev.pageferry.agent.migration.source.SourceStatus;
import dev.pageferry.agent.migration.source.SourceStatus.State;
import dev.pageferry.agent.wire.FrameHeader;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.proto.migration.v1.BackToPreCopy;
import dev.pageferry.proto.migration.v1.GuestState;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.migration.v1.Ready;
import dev.pageferry.proto.migration.v1.Refusal;
import dev.pageferry.proto.migration.v1.RoundAck;
import dev.pageferry.proto.migration.v1.SetupAccepted;
import dev.pageferry.proto.migration.v1.StreamHello;
import dev.pageferry.proto.migration.v1.StreamWelcome;
import dev.pageferry.proto.migration.v1.VmConfiguration;
import dev.pageferry.proto.migration.v1.Welcome;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Destinations that break the protocol, fall silent or hang up: the VM goes on at the source and loses nothing. */
@ExtendWith(PromptWaits.class)
class HostileDestinationTest {
  private static final int STREAMS = 2;
  private static final byte[] SESSION_KEY = new byte[32];

  private final TestCluster cluster = new TestCluster();
  private final List<AutoCloseable> sockets = new ArrayList<>();
  private TestHost a;
  private TestHost b;
  private VirtualMachine vm;
  private ServerSocket listener;
  private TestCluster.Move move;

  @BeforeEach
  void start() throws Exception {
    a = cluster.host("a");
    b = cluster.host("b");
    vm = a.boot(TestCluster.spec("hotset", Map.of("rate", "40MB/s", "workingSet", "2MiB", "fill", "random"), 2));
    TestCluster.awaitSteps(vm, 500);
    listener = keep(new ServerSocket(0, 10, InetAddress.getLoopbackAddress()));
    listener.setSoTimeout(RawPeer.READ_TIMEOUT_MILLIS);
    move = startTowardsTheListener(TestCluster.options(STREAMS));
  }

  private TestCluster.Move startTowardsTheListener(SourceOptions options) {
    MigrationId id = new MigrationId("hostile-" + System.nanoTime());
    VmSpec spec = vm.spec();
    cluster.ledger.begin(id, 1, "a", "hostile");
    return cluster.start(a, new HostPort("127.0.0.1", listener.getLocalPort()), vm, options,
        new TestCluster.Announced(id, new OwnershipEpoch(1), spec, new byte[16]));
  }

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable each : sockets) {
      each.close();
    }
    cluster.close();
  }

  @ParameterizedTest
  @EnumSource
  void aDestinationThatHangsUpAtAnyStepLeavesTheVmAtTheSource(Step step) throws Exception {
    Destination destination = reach(step);
    destination.close();

    assertRolledBack("DESTINATION_LOST");
  }

  @ParameterizedTest
  @EnumSource
  void aDestinationThatRefusesAtAnyStepIsQuoted(Step step) throws Exception {
    Destination destination = reach(step);
    destination.control.send(Refusal.newBuilder().setCode("DATA_CORRUPTED").setMessage("page=3 is bad").build());
    // As a destination does that gives up. A source that is busy sending reads the reason only then.
    destination.control.close();

    assertRolledBack("DATA_CORRUPTED", "page=3 is bad");
  }

  @ParameterizedTest
  @EnumSource
  void garbageOnTheControlStreamAtAnyStepEndsTheAttempt(Step step) throws Exception {
    Destination destination = reach(step);
    destination.control.raw(RawSource.contents('x'));

    assertRolledBack("PROTOCOL_VIOLATION", "BAD_MAGIC");
  }

  @Test
  void aRefusalWithAnUnknownCodeIsStillARefusal() throws Exception {
    reach(Step.HELLO).control.send(Refusal.newBuilder().setCode("FULL_MOON").setMessage("not tonight").build());

    assertRolledBack("DESTINATION_REFUSED", "not tonight");
  }

  @Test
  void aVersionThatWasNotOfferedIsRefused() throws Exception {
    reach(Step.HELLO).control.send(welcome().setVersion(9).build());

    assertRolledBack("PROTOCOL_VIOLATION", "version 9", "1 to 1");
  }

  @Test
  void aWelcomeWithoutASessionKeyIsThePeersFault() throws Exception {
    Destination destination = reach(Step.HELLO);
    destination.control.send(welcome().clearSessionKey().build());
    destination.control.send(SetupAccepted.getDefaultInstance());

    assertRolledBack("PROTOCOL_VIOLATION", "session key");
  }

  @Test
  void anAnswerOutOfTurnIsRefusedByName() throws Exception {
    reach(Step.HELLO).control.send(SetupAccepted.getDefaultInstance());

    assertRolledBack("PROTOCOL_VIOLATION", "received SetupAccepted, expected Welcome");
  }

  @Test
  void anUnknownMandatoryFrameIsRefusedByNameAndTheDestinationIsTold() throws Exception {
    Destination destination = reach(Step.WELCOMED);
    destination.control.frame(999, 0, new byte[5]);

    assertRolledBack("PROTOCOL_VIOLATION", "UNKNOWN_FRAME", "type=999");
    MessageLite message = destination.control.next();
    if (message instanceof VmConfiguration) {
      message = destination.control.next();
    }
    assertThat(message).isInstanceOfSatisfying(Refusal.class,
        refusal -> assertThat(refusal.getMessage()).contains("type=999"));
  }

  @Test
  void unknownOptionalFramesAreSkipped() throws Exception {
    Destination destination = reach(Step.HELLO);
    destination.control.frame(999, FrameHeader.FLAG_OPTIONAL, new byte[FrameHeader.MAX_BODY_BYTES]);
    destination.control.send(Refusal.newBuilder().setCode("DESTINATION_REFUSED").setMessage("seen").build());

    assertRolledBack("DESTINATION_REFUSED", "seen");
  }

  @Test
  void aDataStreamThatIsTurnedAwayEndsTheAttemptAndClosesTheOthers() throws Exception {
    Destination destination = reach(Step.ACCEPTED);
    RawPeer first = destination.accept();
    RawPeer second = destination.accept();
    StreamHello hello = first.expect(StreamHello.class);
    boolean firstIsZero = hello.getStream() == 0;
    second.expect(StreamHello.class);
    RawPeer zero = firstIsZero ? first : second;
    RawPeer one = firstIsZero ? second : first;
    one.send(StreamWelcome.newBuilder().setStream(1).build());
    zero.send(Refusal.newBuilder().setCode("DESTINATION_REFUSED").setMessage("no").build());

    assertRolledBack("DESTINATION_LOST");
    one.expectClosed();
    zero.expectClosed();
  }

  @Test
  void aControlMessageOnADataStreamEndsTheAttempt() throws Exception {
    Destination destination = reach(Step.STREAMS_OPEN);
    destination.streams.getFirst().send(SetupAccepted.getDefaultInstance());

    assertRolledBack("DESTINATION_LOST", "SetupAccepted on a data stream");
  }

  @Test
  void aDestinationThatNeverSpeaksIsGivenUpAfterSeconds() throws Exception {
    keep(listener.accept());

    assertRolledBack("DESTINATION_LOST", "silent");
  }

  @Test
  void nobodyThereIsSaidSo() throws Exception {
    listener.close();
    SourceStatus refused = move.await();
    assertThat(refused.state()).isEqualTo(State.ROLLED_BACK);
    TestCluster.Move again = startTowardsTheListener(TestCluster.options(STREAMS));

    assertThat(again.await().failure().orElseThrow().code().name()).isEqualTo("DESTINATION_UNREACHABLE");
    assertWhole();
  }

  @Test
  void aDestinationThatReadsNoPagesCannotHoldTheAttemptBeyondItsTime() throws Exception {
    reach(Step.HELLO).close();
    move.await();
    move = startTowardsTheListener(
        new SourceOptions(Duration.ofMillis(300), 0, STREAMS, OnStall.ABORT, Duration.ofMillis(1500)));
    reach(Step.STREAMS_OPEN);

    assertRolledBack("TIMED_OUT", "--timeout");
  }

  @Test
  void aDestinationThatIsGoneWhenCommitIsAskedIsNotCommittedTo() throws Exception {
    for (int i = 0; i < 50; i++) {
      // Until the source has noticed that the destination is gone.
      cluster.ledger.nextCommit((id, migration) -> {
        throw FakeLedger.unreachable();
      });
    }
    Destination destination = reach(Step.PAGES_SENT);
    destination.control.send(Ready.getDefaultInstance());
    await().atMost(TestCluster.PATIENCE).until(() -> move.migration().status().state() == State.IN_DOUBT);
    destination.close();
    SourceStatus status = move.await();

    assertThat(status.state()).isEqualTo(State.ROLLED_BACK);
    assertThat(status.failure().orElseThrow().code().name()).isEqualTo("ABORTED");
    assertThat(cluster.ledger.resolveCalls()).isEqualTo(1);
    cluster.ledger.clearScripts();
    assertWhole();
  }

  @ParameterizedTest
  @ValueSource(longs = {Long.MAX_VALUE, -1, 1L << 40})
  void anAcknowledgementOfMoreThanWasSentEndsTheAttempt(long bytes) throws Exception {
    Destination destination = reach(Step.STREAMS_OPEN);
    destination.streams.getFirst().send(RoundAck.newBuilder().setStream(0).setBytes(bytes).build());

    assertRolledBack("DESTINATION_LOST", "acknowledged");
  }

  @Test
  void acknowledgementsThatDoNotGrowEndTheAttempt() throws Exception {
    Destination destination = reach(Step.STREAMS_OPEN);
    RawPeer stream = destination.streams.getFirst();
    stream.readBytes(100);
    stream.send(RoundAck.newBuilder().setBytes(100).build());
    stream.send(RoundAck.newBuilder().setBytes(100).build());

    assertRolledBack("DESTINATION_LOST", "acknowledged 100 bytes");
  }

  @Test
  void aLongReasonIsQuotedInPart() throws Exception {
    reach(Step.HELLO).control.send(
        Refusal.newBuilder().setCode("DESTINATION_REFUSED").setMessage("no".repeat(400_000)).build());

    assertRolledBack("DESTINATION_REFUSED", "nono");
    assertThat(move.migration().status().failure().orElseThrow().message()).hasSizeLessThan(2000);
  }

  @Test
  void messagesWithoutEndWhilePagesGoOverEndTheAttempt() throws Exception {
    Destination destination = reach(Step.STREAMS_OPEN);
    for (int i = 0; i < 100; i++) {
      destination.control.send(Ready.getDefaultInstance());
    }

    assertRolledBack("PROTOCOL_VIOLATION");
  }

  /** A destination of the version before reads that it is to go back only behind its READY. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aDestinationThatIsNotReadyInTimeIsGivenAnotherTryWhileTheGuestRuns(boolean saysReadyLate) throws Exception {
    Destination destination = reachPauseInFastTime();
    GuestState first = destination.control.expect(GuestState.class);
    destination.control.expect(BackToPreCopy.class);
    await().atMost(TestCluster.PATIENCE).until(() -> !vm.isPausedFor(PauseReason.MIGRATION));
    TestCluster.awaitSteps(vm, 500);
    if (saysReadyLate) {
      destination.control.send(Ready.getDefaultInstance());
    }
    destination.control.send(BackToPreCopy.getDefaultInstance());
    GuestState second = destination.control.expect(GuestState.class);

    assertThat(second.getLastRound()).as("rounds in between").isGreaterThan(first.getLastRound() + 1);
    assertThat(second.getVcpus(0)).isNotEqualTo(first.getVcpus(0));
    assertThat(vm.isPausedFor(PauseReason.MIGRATION)).isTrue();
    assertThat(cluster.ledger.commitCalls()).as("a late READY is no READY").isZero();
    destination.control.send(Refusal.newBuilder().setCode("DATA_CORRUPTED").setMessage("seen").build());
    assertRolledBack("DATA_CORRUPTED", "seen");
  }

  @Test
  void anAttemptWhosePausesGetTooLongEndsAndTheGuestRunsOn() throws Exception {
    Destination destination = reachPauseInFastTime();
    for (int i = 1; i < 3; i++) {
      destination.control.expect(GuestState.class);
      destination.control.expect(BackToPreCopy.class);
      destination.control.send(BackToPreCopy.getDefaultInstance());
    }
    destination.control.expect(GuestState.class);

    assertRolledBack("STALLED", "3 pauses got too long", "--downtime-limit", "--on-stall switch");
  }

  @Test
  void aPauseLastsAsLongAsItTakesWhereTheOperatorSaysSo() throws Exception {
    Destination destination = reachPauseInFastTime(OnStall.SWITCH);
    destination.control.expect(GuestState.class);
    long start = cluster.sourceScheduler.nanos();
    await().atMost(TestCluster.PATIENCE).until(() -> cluster.sourceScheduler.secondsSince(start) > 10);

    assertThat(vm.isPausedFor(PauseReason.MIGRATION)).isTrue();
    destination.control.send(Refusal.newBuilder().setCode("DATA_CORRUPTED").setMessage("seen").build());
    assertRolledBack("DATA_CORRUPTED", "seen");
  }

  private Destination reachPauseInFastTime() throws Exception {
    return reachPauseInFastTime(OnStall.ABORT);
  }

  /** With streams that are read and not acknowledged. To the source ten seconds are one: the longest pause is 0.3 s. */
  private Destination reachPauseInFastTime(OnStall onStall) throws Exception {
    reach(Step.HELLO).close();
    move.await();
    cluster.sourceScheduler = new FastScheduler(10);
    move = startTowardsTheListener(
        new SourceOptions(Duration.ofMillis(300), 0, STREAMS, onStall, Duration.ofHours(1)));
    Destination destination = reach(Step.STREAMS_OPEN);
    for (RawPeer each : destination.streams) {
      Thread.ofVirtual().start(each::drain);
    }
    return destination;
  }

  /** How far a destination goes along. */
  enum Step {
    HELLO,
    WELCOMED,
    ACCEPTED,
    STREAMS_OPEN,
    PAGES_SENT
  }

  /** What the source has connected to. */
  private final class Destination implements AutoCloseable {
    private final RawPeer control;
    private final List<RawPeer> streams = new ArrayList<>();

    Destination(RawPeer control) {
      this.control = control;
    }

    RawPeer accept() throws IOException {
      return HostileDestinationTest.this.accept();
    }

    @Override
    public void close() throws IOException {
      control.close();
      for (RawPeer each : streams) {
        each.close();
      }
    }
  }

  private RawPeer accept() throws IOException {
    Socket socket = listener.accept();
    return keep(new RawPeer(socket));
  }

  private <T extends AutoCloseable> T keep(T socket) {
    sockets.add(socket);
    return socket;
  }

  private static Welcome.Builder welcome() {
    return Welcome.newBuilder().setVersion(1).setSessionKey(ByteString.copyFrom(SESSION_KEY));
  }

  /** Goes by the protocol up to here. */
  private Destination reach(Step step) throws Exception {
    Destination destination = new Destination(accept());
    RawPeer control = destination.control;
    control.expect(Hello.class);
    if (step.compareTo(Step.WELCOMED) >= 0) {
      control.send(welcome().build());
    }
    if (step.compareTo(Step.ACCEPTED) >= 0) {
      control.expect(VmConfiguration.class);
      control.send(SetupAccepted.getDefaultInstance());
    }
    if (step.compareTo(Step.STREAMS_OPEN) >= 0) {
      for (int i = 0; i < STREAMS; i++) {
        RawPeer stream = accept();
        destination.streams.add(stream);
        stream.send(StreamWelcome.newBuilder().setStream(stream.expect(StreamHello.class).getStream()).build());
      }
    }
    if (step == Step.PAGES_SENT) {
      for (RawPeer each : destination.streams) {
        Thread.ofVirtual().start(each::drain);
      }
      control.expect(GuestState.class);
      assertThat(vm.isPausedFor(PauseReason.MIGRATION)).isTrue();
    }
    return destination;
  }

  private void assertRolledBack(String code, String... words) throws Exception {
    SourceStatus status = move.await();
    assertThat(status.state()).isEqualTo(State.ROLLED_BACK);
    SourceStatus.Failure failure = status.failure().orElseThrow();
    assertThat(failure.code().name()).as(failure.message()).isEqualTo(code);
    for (String each : words) {
      assertThat(failure.message()).contains(each);
    }
    assertThat(cluster.ledger.commitCalls()).isZero();
    assertWhole();
  }

  /** The VM runs here with all it has written; a good destination gets every page of it. */
  private void assertWhole() throws Exception {
    assertThat(vm.isPaused()).isFalse();
    assertThat(move.givenAway()).isEmpty();
    TestCluster.awaitSteps(vm, 500);
    TestCluster.Move next = cluster.start(a, b, vm, TestCluster.patientOptions(STREAMS));
    await().atMost(TestCluster.PATIENCE).until(
        () -> next.migration().status().blackout().isPresent() || next.migration().status().state().isFinal());
    assertThat(next.migration().status().failure()).isEmpty();
    await().atMost(TestCluster.PATIENCE).until(() -> a.find(vm.spec().id()).isEmpty());
    TestCluster.assertArrived(a, b, vm);
  }
}
