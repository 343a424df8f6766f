package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pageferry.agent.migration.destination.IncomingMigrations.State;
import dev.pageferry.agent.wire.ControlFrames;
import dev.pageferry.agent.wire.FrameHeader;
import dev.pageferry.agent.wire.PageFrame;
import dev.pageferry.proto.migration.v1.Ping;
import dev.pageferry.proto.migration.v1.RoundAck;
import dev.pageferry.proto.migration.v1.StreamHello;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Data streams that break the protocol. The destination names the reason on the control stream and forgets the VM. */
@ExtendWith(PromptWaits.class)
class HostileDataStreamTest {
  private static final byte[] PAGE = RawSource.contents(0x5a);

  private HostileFixture fixture;
  private RawSource source;

  @BeforeEach
  void start() throws Exception {
    fixture = new HostileFixture();
    source = fixture.source().accepted();
  }

  @AfterEach
  void theDestinationIsUnharmed() throws Exception {
    try (var closing = fixture) {
      source.close();
      fixture.awaitState(State.DISCARDED);
      closing.assertUnharmed();
    }
  }

  @Test
  void aStreamWithoutTheRightProofIsTurnedAwayAndTheAttemptGoesOn() throws Exception {
    for (StreamHello hello : List.of(source.streamHello(0).clearProof().build(),
        source.streamHello(0).setProof(source.streamHello(1).getProof()).build(),
        source.streamHello(0).setProof(ByteString.copyFrom(new byte[32])).build(),
        source.streamHello(0).setProof(source.streamHello(0).getProof().substring(0, 31)).build(),
        source.streamHello(2).build(), source.streamHello(-1).build(),
        source.streamHello(0).setMigrationId("m-unknown").build(),
        source.streamHello(0).setMigrationId("not a name").build())) {
      source.dataStream(hello).expectRefusal("DESTINATION_REFUSED", "expects stream");
    }
    assertThat(fixture.state()).isEqualTo(State.RECEIVING);
    for (RawPeer each : source.openStreams()) {
      RawSource.endRoundAndAwait(each, 0);
    }
  }

  @Test
  void aStreamProvesItselfOnce() throws Exception {
    RawPeer first = source.openStream(0);
    source.dataStream(source.streamHello(0).build()).expectRefusal("DESTINATION_REFUSED", "expects stream 0");
    RawSource.endRoundAndAwait(first, 0);
  }

  @Test
  void aStreamThatComesBeforeTheMemoryIsThereIsTurnedAway() throws Exception {
    source.close();
    fixture.awaitState(State.DISCARDED);
    TestCluster.Announced again = fixture.cluster.announce(fixture.good, fixture.target, fixture.spec, 1);
    try (RawSource early = new RawSource(fixture.target.server().port(), again, 1).welcomed()) {
      early.dataStream(early.streamHello(0).build()).expectRefusal("DESTINATION_REFUSED", "expects stream 0");
    }
  }

  @Test
  void pagesThatDoNotWaitForTheWelcomeEndTheAttempt() throws Exception {
    RawPeer stream = fixture.keep(RawPeer.connect(fixture.target.server().port()));
    byte[] hello = RawPeer.bytes(ControlFrames.encode(source.streamHello(0).build(), 0));
    PageFrame page = RawSource.page(0, 0, PAGE);
    page.finish(1);
    byte[] both = Arrays.copyOf(hello, hello.length + page.buffer().remaining());
    page.buffer().get(both, hello.length, page.buffer().remaining());
    stream.raw(both);
    source.control.expectRefusal("PROTOCOL_VIOLATION", "before its welcome");
  }

  @ParameterizedTest
  @ValueSource(longs = {HostileFixture.PAGES, -1, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 40})
  void aPageOutsideTheVmIsRefused(long page) throws Exception {
    source.openStream(0).pages(RawSource.page(0, page, PAGE));
    source.control.expectRefusal("PROTOCOL_VIOLATION", "PAGE_OUT_OF_RANGE", "page=" + page);
  }

  @Test
  void aBatchWithAPageOutsideTheVmIsRefused() throws Exception {
    source.openStream(0).pages(RawSource.batch(0, HostileFixture.PAGES, PAGE));
    source.control.expectRefusal("PROTOCOL_VIOLATION", "PAGE_OUT_OF_RANGE");
  }

  @ParameterizedTest
  @CsvSource({"0, 9223372036854775807", "3584, 513", "0, 0", "1, -1"})
  void aRangeThatEndsOutsideTheVmIsRefused(long first, long pages) throws Exception {
    source.openStream(0).pages(RawSource.zeros(0, first, pages));
    source.control.expectRefusal("PROTOCOL_VIOLATION", "PAGE_OUT_OF_RANGE");
  }

  @Test
  void aPageOfAnotherStreamIsRefused() throws Exception {
    source.openStream(1).pages(RawSource.page(0, 255, PAGE));
    source.control.expectRefusal("PROTOCOL_VIOLATION", "WRONG_STREAM", "stream=1");
  }

  @Test
  void aRangeThatCrossesIntoTheNextBlockIsRefused() throws Exception {
    source.openStream(0).pages(RawSource.zeros(0, 255, 2));
    source.control.expectRefusal("PROTOCOL_VIOLATION", "WRONG_STREAM");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 2, -1, Integer.MAX_VALUE})
  void aPageOfAPastOrFutureRoundIsRefused(int round) throws Exception {
    RawPeer stream = source.openStream(0);
    RawSource.endRoundAndAwait(stream, 0);
    stream.pages(RawSource.page(round, 0, PAGE));
    source.control.expectRefusal("PROTOCOL_VIOLATION", "WRONG_ROUND", "round=" + round, "expected=1");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 2, -1})
  void aRoundThatEndsTwiceOrOutOfTurnIsRefused(int round) throws Exception {
    RawPeer stream = source.openStream(0);
    RawSource.endRoundAndAwait(stream, 0);
    RawSource.endRound(stream, round);
    source.control.expectRefusal("PROTOCOL_VIOLATION", "WRONG_ROUND", "ends round=" + round);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aFlippedBitOfAPageIsFound(boolean run) throws Exception {
    PageFrame page = run ? RawSource.page(0, 7, PAGE) : RawSource.batch(0, 7, PAGE);
    source.openStream(0).pages(page, bytes -> bytes[bytes.length - 1] ^= 0x10);
    source.control.expectRefusal("DATA_CORRUPTED", "PAGE_CORRUPTED", "page=7");
  }

  @Test
  void aFlippedBitInTheListOfPagesIsFoundBeforeAPageIsPlaced() throws Exception {
    source.openStream(0).pages(RawSource.batch(0, 7, PAGE), bytes -> bytes[FrameHeader.BYTES + 8] ^= 0x10);
    source.control.expectRefusal("PROTOCOL_VIOLATION", "CHECKSUM_MISMATCH");
  }

  @Test
  void aFlippedBitOfAMarkerIsFound() throws Exception {
    RawPeer stream = source.openStream(0);
    byte[] marker = RawPeer.frame(8, 0, new byte[]{8, 0}, 1);
    marker[marker.length - 1] ^= 1;
    stream.raw(marker);
    source.control.expectRefusal("PROTOCOL_VIOLATION", "CHECKSUM_MISMATCH");
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 1, 100})
  void aFrameOutOfSequenceIsRefused(int skipped) throws Exception {
    RawPeer stream = source.openStream(0);
    stream.skipSequence(skipped);
    stream.pages(RawSource.page(0, 0, PAGE));
    source.control.expectRefusal("PROTOCOL_VIOLATION", "OUT_OF_SEQUENCE");
  }

  @Test
  void anUnknownMandatoryFrameIsRefusedByName() throws Exception {
    source.openStream(0).frame(999, 0, new byte[1]);
    source.control.expectRefusal("PROTOCOL_VIOLATION", "UNKNOWN_FRAME", "type=999");
  }

  @Test
  void unknownOptionalFramesOfAnyLengthAreSkipped() throws Exception {
    RawPeer stream = source.openStream(0);
    for (int length : new int[]{0, 1, 16_407, 16_408, 16_409, 100_000, FrameHeader.MAX_BODY_BYTES}) {
      stream.frame(999, FrameHeader.FLAG_OPTIONAL, new byte[length]);
    }
    stream.pages(RawSource.page(0, 3, PAGE));
    RawSource.endRound(stream, 0);
    RoundAck ack = stream.expect(RoundAck.class);
    while (ack.getPages() == 0) {
      ack = stream.expect(RoundAck.class);
    }
    assertThat(ack.getPages()).isEqualTo(1);
    assertThat(ack.getBytes()).isGreaterThan(FrameHeader.MAX_BODY_BYTES);
  }

  @Test
  void aControlMessageOnADataStreamIsRefused() throws Exception {
    source.openStream(0).send(Ping.getDefaultInstance());
    source.control.expectRefusal("PROTOCOL_VIOLATION", "UNEXPECTED_FRAME", "PING");
  }

  @Test
  void aMarkerThatIsTooLongIsRefused() throws Exception {
    source.openStream(0).frame(8, 0, new byte[65]);
    source.control.expectRefusal("PROTOCOL_VIOLATION", "BODY_TOO_LONG", "ROUND_END");
  }

  @ParameterizedTest
  @CsvSource({"32, 16", "33, 8", "34, 8", "34, 16392", "32, 262424", "33, 4104"})
  void aBodyThatHoldsNoWholePagesIsRefused(int type, int bodyBytes) throws Exception {
    source.openStream(0).frame(type, 0, new byte[bodyBytes + 1]);
    source.control.expectRefusal("PROTOCOL_VIOLATION", "BODY_MALFORMED");
  }

  @Test
  void reservedBitsOfAPageFrameMustBeZero() throws Exception {
    byte[] body = new byte[24];
    body[4] = 1;
    source.openStream(0).frame(34, 0, body);
    source.control.expectRefusal("PROTOCOL_VIOLATION", "RESERVED_BITS");
  }

  @Test
  void aStreamThatEndsInsideAPageEndsTheAttempt() throws Exception {
    PageFrame page = RawSource.page(0, 0, PAGE);
    page.finish(1);
    RawPeer stream = source.openStream(0);
    stream.raw(Arrays.copyOf(RawPeer.bytes(page.buffer()), 1000));
    stream.close();
    source.control.expectRefusal("SOURCE_LOST");
  }

  @Test
  void aDigestThatDiffersIsRefusedWithBothValues() throws Exception {
    for (RawPeer each : source.openStreams()) {
      RawSource.endRoundAndAwait(each, 0);
    }
    source.control.send(source.bootState(0, 0xabcL));
    source.control.expectRefusal("DATA_CORRUPTED", "page digest=0000000000000000 expected=0000000000000abc");
  }

  @Test
  void roundsWithoutEndAreRefused() throws Exception {
    RawPeer stream = source.openStream(0);
    for (int round = 0; round < 300; round++) {
      RawSource.endRound(stream, round);
    }
    source.control.expectRefusal("PROTOCOL_VIOLATION", "TOO_MANY_ROUNDS", "round=256");
  }

  /** Two frames of one round that have page 7 in common. */
  enum Repetition {
    RUN_AND_RUN(RawSource.page(0, 7, PAGE), RawSource.page(0, 7, PAGE)),
    RUN_AND_BATCH(RawSource.page(0, 7, PAGE), RawSource.batch(0, 7, PAGE)),
    BATCH_AND_ZEROS(RawSource.batch(0, 7, PAGE), RawSource.zeros(0, 0, 256)),
    ZEROS_AND_ZEROS(RawSource.zeros(0, 0, 8), RawSource.zeros(0, 7, 1)),
    ZEROS_AND_RUN(RawSource.zeros(0, 0, 256), RawSource.page(0, 7, PAGE)),
    WITHIN_A_BATCH(RawSource.page(0, 6, PAGE), RawSource.batch(0, new long[]{9, 7, 8, 7}, PAGE)),
    WITHIN_A_LIST_OF_RANGES(RawSource.page(0, 6, PAGE),
        RawSource.zeros(0, new long[]{7, 512, 7}, new long[]{1, 256, 3}));

    private final PageFrame first;
    private final PageFrame second;

    Repetition(PageFrame first, PageFrame second) {
      this.first = first;
      this.second = second;
    }
  }

  @ParameterizedTest
  @EnumSource
  void aPageThatComesTwiceInARoundIsRefused(Repetition repetition) throws Exception {
    RawPeer stream = source.openStream(0);
    stream.pages(repetition.first);
    stream.pages(repetition.second);
    source.control.expectRefusal("PROTOCOL_VIOLATION", "PAGE_REPEATED", "page=7", "round=0");
  }
}
