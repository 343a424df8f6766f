package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.destination.IncomingMigrations.State;
import dev.pageferry.agent.wire.ControlFrames;
import dev.pageferry.agent.wire.FrameHeader;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.proto.migration.v1.BackToPreCopy;
import dev.pageferry.proto.migration.v1.DisksFlushed;
import dev.pageferry.proto.migration.v1.FlushDisks;
import dev.pageferry.proto.migration.v1.Go;
import dev.pageferry.proto.migration.v1.GuestState;
import dev.pageferry.proto.migration.v1.OpaqueState;
import dev.pageferry.proto.migration.v1.Ping;
import dev.pageferry.proto.migration.v1.Ready;
import dev.pageferry.proto.migration.v1.Refusal;
import dev.pageferry.proto.migration.v1.SetupAccepted;
import dev.pageferry.proto.migration.v1.StateAhead;
import dev.pageferry.proto.migration.v1.Vcpu;
import dev.pageferry.proto.migration.v1.VmConfiguration;
import dev.pageferry.proto.migration.v1.Welcome;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Control streams that break the protocol at every point: each is told why where it may be, and nothing else suffers. */
@ExtendWith(PromptWaits.class)
class HostileControlStreamTest {
  private HostileFixture fixture;

  @BeforeEach
  void start() throws Exception {
    fixture = new HostileFixture();
  }

  @AfterEach
  void theDestinationIsUnharmed() throws Exception {
    try (var closing = fixture) {
      closing.assertUnharmed();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 23, 24, 25, 5000})
  void garbageEndsTheConnection(int length) throws Exception {
    byte[] garbage = new byte[length];
    new Random(length).nextBytes(garbage);
    RawPeer stranger = fixture.stranger();
    stranger.raw(garbage);
    if (length >= FrameHeader.BYTES) {
      stranger.expectClosed();
    }
    stranger.close();
    assertThat(fixture.state()).isEqualTo(State.EXPECTED);
  }

  @Test
  void aHelloThatBreaksOffAtAnyByteLeavesTheTokenUnused() throws Exception {
    byte[] hello = RawPeer.bytes(ControlFrames.encode(RawSource.hello(fixture.announced, 1).build(), 0));
    for (int length = 0; length < hello.length; length++) {
      try (RawPeer stranger = RawPeer.connect(fixture.target.server().port())) {
        stranger.raw(Arrays.copyOf(hello, length));
      }
    }
    assertThat(fixture.state()).isEqualTo(State.EXPECTED);
    try (RawSource source = fixture.source().welcomed()) {
      assertThat(fixture.state()).isEqualTo(State.RECEIVING);
    }
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void aDamagedHelloIsNotAdmitted() throws Exception {
    byte[] hello = RawPeer.bytes(ControlFrames.encode(RawSource.hello(fixture.announced, 1).build(), 0));
    hello[hello.length - 1] ^= 1;
    RawPeer stranger = fixture.stranger();
    stranger.raw(hello);
    stranger.expectClosed();
    assertThat(fixture.state()).isEqualTo(State.EXPECTED);
  }

  @Test
  void aWrongTokenAndAnUnknownMigrationAreRefusedInTheSameWords() throws Exception {
    RawSource wrongToken = fixture.source();
    wrongToken.control.send(wrongToken.hello().setToken(ByteString.copyFromUtf8("guess")).build());
    wrongToken.control.expectRefusal("DESTINATION_REFUSED",
        "no migration '%s' is expected here with this token".formatted(fixture.announced.id()));
    RawSource unknown = fixture.source();
    unknown.control.send(unknown.hello().setMigrationId("m-unknown").build());
    unknown.control.expectRefusal("DESTINATION_REFUSED", "no migration 'm-unknown' is expected here with this token");
    assertThat(fixture.state()).as("a guess does not use the token up").isEqualTo(State.EXPECTED);
  }

  @Test
  void aTokenThatHasExpiredIsRefusedLikeAWrongOne() throws Exception {
    fixture.target.incoming().expect(fixture.announced.id(), fixture.spec, fixture.announced.epoch(),
        new Manner.Live(false),
        new IncomingMigrations.Pass(new HostId("source"), fixture.announced.token()), Duration.ZERO);
    RawSource source = fixture.source();
    source.control.send(source.hello().build());
    source.control.expectRefusal("DESTINATION_REFUSED", "is expected here with this token");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "../../etc/passwd", "m 1", "ü"})
  void aNameThatNoMigrationHasIsRefused(String name) throws Exception {
    RawSource source = fixture.source();
    source.control.send(source.hello().setMigrationId(name).build());
    source.control.expectRefusal("DESTINATION_REFUSED", "MigrationId");
  }

  @Test
  void aTokenWorksOnce() throws Exception {
    RawSource first = fixture.source().accepted();
    RawSource second = fixture.source();
    second.control.send(second.hello().build());
    second.control.expectRefusal("DESTINATION_REFUSED", "is expected here with this token");
    assertThat(fixture.state()).as("the first is not disturbed").isEqualTo(State.RECEIVING);
    first.close();
    fixture.awaitState(State.DISCARDED);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, 17, Integer.MAX_VALUE})
  void aNumberOfStreamsThatNobodyMayOpenIsRefused(int streams) throws Exception {
    RawSource source = fixture.source();
    source.control.send(source.hello().setStreams(streams).build());
    source.control.expectRefusal("DESTINATION_REFUSED", streams + " data streams");
  }

  @Test
  void aVersionThatIsNotSpokenHereIsRefusedByName() throws Exception {
    RawSource source = fixture.source();
    source.control.send(source.hello().setLowestVersion(7).setHighestVersion(9).build());
    source.control.expectRefusal("DESTINATION_REFUSED", "7 to 9");
    assertThat(fixture.state()).as("the token was right, so it is used up").isEqualTo(State.UNKNOWN);
  }

  @Test
  void whoeverDoesNotBeginWithAHelloIsRefused() throws Exception {
    RawPeer stranger = fixture.stranger();
    stranger.send(Go.newBuilder().setEpoch(2).build());
    stranger.expectRefusal("PROTOCOL_VIOLATION", "expected a hello, received Go");
  }

  @Test
  void aStrangersLongBodyIsNotWaitedFor() throws Exception {
    RawPeer stranger = fixture.stranger();
    stranger.raw(Arrays.copyOf(RawPeer.frame(1, 0, new byte[4097], 0), FrameHeader.BYTES));
    stranger.expectClosed();
  }

  @Test
  void aBodyOverAMebibyteIsRefused() throws Exception {
    RawSource source = fixture.source().welcomed();
    source.control.raw(Arrays.copyOf(RawPeer.frame(5, 0, new byte[FrameHeader.MAX_BODY_BYTES + 1], 1),
        FrameHeader.BYTES));
    source.control.expectRefusal("PROTOCOL_VIOLATION", "BODY_TOO_LONG", "1048577");
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void anUnknownMandatoryFrameIsRefusedByName() throws Exception {
    RawSource source = fixture.source().accepted();
    source.control.frame(999, 0, new byte[12]);
    source.control.expectRefusal("PROTOCOL_VIOLATION", "UNKNOWN_FRAME", "type=999");
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void aPageFrameOnTheControlStreamIsRefusedByName() throws Exception {
    RawSource source = fixture.source().accepted();
    source.control.pages(RawSource.zeros(0, 0, 1));
    source.control.expectRefusal("PROTOCOL_VIOLATION", "UNKNOWN_FRAME", "type=34");
  }

  @Test
  void unknownOptionalFramesAreSkipped() throws Exception {
    RawSource source = fixture.source();
    source.control.frame(999, FrameHeader.FLAG_OPTIONAL, new byte[100]);
    source.welcomed();
    source.control.frame(65535, FrameHeader.FLAG_OPTIONAL, new byte[0]);
    source.control.frame(1000, FrameHeader.FLAG_OPTIONAL, new byte[FrameHeader.MAX_BODY_BYTES]);
    source.control.send(source.configuration().build());
    source.control.expect(SetupAccepted.class);
    source.close();
    fixture.awaitState(State.DISCARDED);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, -1, 1000})
  void aControlFrameOutOfSequenceIsRefused(int skipped) throws Exception {
    RawSource source = fixture.source().accepted();
    source.control.skipSequence(skipped);
    source.control.send(Ping.getDefaultInstance());
    source.control.expectRefusal("PROTOCOL_VIOLATION", "OUT_OF_SEQUENCE");
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void aConfigurationOtherThanAnnouncedIsRefusedWithBothFigures() throws Exception {
    RawSource source = fixture.source().welcomed();
    VmConfiguration.Builder configuration = source.configuration();
    configuration.getSpecBuilder().setMemoryBytes(1L << 40);
    source.control.send(configuration.build());
    source.control.expectRefusal("PROTOCOL_VIOLATION", "memory=1099511627776", "memory=16777216");
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void anotherPageSizeOrEpochIsRefused() throws Exception {
    RawSource source = fixture.source().welcomed();
    source.control.send(source.configuration().setPageBytes(16384).build());
    source.control.expectRefusal("PROTOCOL_VIOLATION", "pages of 16384 bytes, expected 4096");
    TestCluster.Announced again = fixture.cluster.announce(fixture.good, fixture.target, fixture.spec, 3);
    RawSource next = fixture.keep(new RawSource(fixture.target.server().port(), again, 1)).welcomed();
    next.control.send(next.configuration().setEpoch(4).build());
    next.control.expectRefusal("PROTOCOL_VIOLATION", "epoch 4, the coordinator said 3");
  }

  @Test
  void aMessageOutOfTurnIsRefusedByName() throws Exception {
    RawSource early = fixture.source().welcomed();
    early.control.send(Go.newBuilder().setEpoch(2).build());
    early.control.expectRefusal("PROTOCOL_VIOLATION", "received Go, expected VmConfiguration");
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void aVmThatTheHostHasNoMemoryForIsRefusedWithTheFigures() throws Exception {
    try (var taken = fixture.target.memory().allocate(TestHost.MEMORY_BYTES - TestCluster.VM_BYTES + 4096)) {
      RawSource source = fixture.source().welcomed();
      source.control.send(source.configuration().build());
      source.control.expectRefusal("DESTINATION_REFUSED", "memory");
    }
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void aFloodOfMessagesEndsTheAttempt() throws Exception {
    RawSource source = fixture.source().accepted();
    for (int i = 0; i < 1000; i++) {
      source.control.send(Ready.getDefaultInstance());
    }
    MessageLite last = source.control.next();
    if (last instanceof Refusal refusal) {
      assertThat(refusal.getCode()).isEqualTo("PROTOCOL_VIOLATION");
    } else {
      assertThat(last).as("a reset may overtake the reason").isNull();
    }
    source.control.expectClosed();
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void registersThatNoVmHasAreRefused() throws Exception {
    RawSource source = fixture.source().accepted();
    for (RawPeer each : source.openStreams()) {
      RawSource.endRoundAndAwait(each, 0);
    }
    source.control.send(GuestState.newBuilder().setLastRound(0).addVcpus(Vcpu.newBuilder().addRegisters(-1)).build());
    source.control.expectRefusal("PROTOCOL_VIOLATION", "guest state", "registers");
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void registersThatLeadAProgramOutOfItsShareAreRefused() throws Exception {
    VmSpec sequential = TestCluster.spec("sequential", Map.of(), 2);
    TestCluster.Announced announced = fixture.cluster.announce(fixture.good, fixture.target, sequential, 1);
    RawSource source = fixture.keep(new RawSource(fixture.target.server().port(), announced, 1)).accepted();
    RawSource.endRoundAndAwait(source.openStream(0), 0);
    Vcpu astray = Vcpu.newBuilder().addAllRegisters(List.of(0L, 1L, 1L << 40, 0L, 0L, 0L, 0L, 0L)).build();
    source.control.send(source.bootState(0, 0).toBuilder().setVcpus(1, astray).build());
    source.control.expectRefusal("PROTOCOL_VIOLATION", "guest state", "1099511627776");
  }

  @Test
  void aWrongNumberOfVcpusIsRefused() throws Exception {
    RawSource source = fixture.source().accepted();
    for (RawPeer each : source.openStreams()) {
      RawSource.endRoundAndAwait(each, 0);
    }
    source.control.send(source.bootState(0, 0).toBuilder().removeVcpus(1).build());
    source.control.expectRefusal("PROTOCOL_VIOLATION", "1 vCPUs for a VM of 2");
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void theSourceThatGoesAwayAfterItsWelcomeLeavesNothingBehind() throws Exception {
    RawSource source = fixture.source();
    source.control.send(source.hello().build());
    source.control.expect(Welcome.class);
    source.close();
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void aHelloThatDripsInIsCutOffAfterSeconds() throws Exception {
    byte[] hello = RawPeer.bytes(ControlFrames.encode(RawSource.hello(fixture.announced, 1).build(), 0));
    try (Socket idle = new Socket(InetAddress.getLoopbackAddress(), fixture.target.server().port());
        Socket dripping = new Socket(InetAddress.getLoopbackAddress(), fixture.target.server().port())) {
      dripping.setSoTimeout(200);
      assertThat(drip(dripping, hello)).as("bytes before the end").isLessThan(hello.length);
      idle.setSoTimeout(RawPeer.READ_TIMEOUT_MILLIS);
      assertThat(idle.getInputStream().read()).isEqualTo(-1);
    }
    assertThat(fixture.state()).isEqualTo(State.EXPECTED);
  }

  /** Sends a byte whenever the peer has said nothing for a while, until it hangs up. */
  private static int drip(Socket socket, byte[] bytes) throws Exception {
    for (int sent = 0; sent < bytes.length; sent++) {
      try {
        socket.getOutputStream().write(bytes[sent]);
        if (socket.getInputStream().read() < 0) {
          return sent;
        }
      } catch (SocketTimeoutException e) {
        // The peer still waits for the rest.
      } catch (SocketException e) {
        return sent;
      }
    }
    return bytes.length;
  }

  @Test
  void disksAreNotFlushedWithoutEnd() throws Exception {
    RawSource source = fixture.source().accepted();
    for (int i = 0; i < 256; i++) {
      source.control.send(FlushDisks.getDefaultInstance());
      source.control.expect(DisksFlushed.class);
    }
    source.control.send(FlushDisks.getDefaultInstance());
    source.control.expectRefusal("PROTOCOL_VIOLATION", "disks were to be flushed more than 256 times");
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void aPartOfAStateThatTheGuestDoesNotHaveIsRefused() throws Exception {
    RawSource source = fixture.source().accepted();
    source.control
        .send(StateAhead.newBuilder().setState(OpaqueState.newBuilder().setKind("qemu").setVersion(1)).build());
    source.control.expectRefusal("PROTOCOL_VIOLATION", "has no part of its state ahead of the rest");
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void aStateWithoutARoundOfItsOwnIsRefused() throws Exception {
    RawSource source = fixture.source().accepted();
    for (RawPeer each : source.openStreams()) {
      RawSource.endRoundAndAwait(each, 0);
    }
    source.control.send(source.bootState(0, 0));
    source.control.expect(Ready.class);
    source.control.send(BackToPreCopy.getDefaultInstance());
    source.control.expect(BackToPreCopy.class);
    source.control.send(source.bootState(0, 0));
    source.control.expectRefusal("PROTOCOL_VIOLATION", "round 0", "was the last one before");
    fixture.awaitState(State.DISCARDED);
  }

  @Test
  void aFloodOfPingsEndsTheAttempt() throws Exception {
    RawSource source = fixture.source().accepted();
    for (int i = 0; i < 10_000; i++) {
      source.control.send(Ping.newBuilder().setNonce(i).build());
    }
    source.control.expectClosed();
    fixture.awaitState(State.DISCARDED);
  }
}
