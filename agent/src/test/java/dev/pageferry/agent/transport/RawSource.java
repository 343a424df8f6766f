package dev.pageferry.agent.transport;

import com.google.protobuf.ByteString;
import dev.pageferry.agent.migration.StateMessages;
import dev.pageferry.agent.wire.PageFrame;
import dev.pageferry.agent.wire.StreamProof;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.migration.v1.GuestState;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.migration.v1.RoundAck;
import dev.pageferry.proto.migration.v1.RoundEnd;
import dev.pageferry.proto.migration.v1.SetupAccepted;
import dev.pageferry.proto.migration.v1.StreamHello;
import dev.pageferry.proto.migration.v1.StreamWelcome;
import dev.pageferry.proto.migration.v1.VmConfiguration;
import dev.pageferry.proto.migration.v1.Welcome;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;

/** A source made of blocking sockets, which goes by the protocol as far as a test wants it to. */
final class RawSource implements AutoCloseable {
  private final int port;
  private final TestCluster.Announced announced;
  private final int streamCount;
  private final List<RawPeer> sockets = new ArrayList<>();
  final RawPeer control;
  private byte[] sessionKey = {};

  RawSource(int port, TestCluster.Announced announced, int streamCount) throws IOException {
    this.port = port;
    this.announced = announced;
    this.streamCount = streamCount;
    control = connect();
  }

  private RawPeer connect() throws IOException {
    RawPeer peer = RawPeer.connect(port);
    sockets.add(peer);
    return peer;
  }

  Hello.Builder hello() {
    return hello(announced, streamCount);
  }

  static Hello.Builder hello(TestCluster.Announced announced, int streamCount) {
    return Hello.newBuilder().setLowestVersion(1).setHighestVersion(1).setMigrationId(announced.id().value())
        .setToken(ByteString.copyFrom(announced.token())).setStreams(streamCount);
  }

  RawSource welcomed() throws Exception {
    control.send(hello().build());
    sessionKey = control.expect(Welcome.class).getSessionKey().toByteArray();
    return this;
  }

  VmConfiguration.Builder configuration() {
    return VmConfiguration.newBuilder().setSpec(announced.spec().toMessage())
        .setEpoch(announced.epoch().value()).setPageBytes(PageSize.BYTES);
  }

  /** As far as the destination's yes. */
  RawSource accepted() throws Exception {
    welcomed();
    control.send(configuration().build());
    control.expect(SetupAccepted.class);
    return this;
  }

  StreamHello.Builder streamHello(int stream) {
    return StreamHello.newBuilder().setMigrationId(announced.id().value()).setStream(stream)
        .setProof(ByteString.copyFrom(StreamProof.of(sessionKey, stream)));
  }

  /** A connection that says this hello. */
  RawPeer dataStream(StreamHello hello) throws Exception {
    RawPeer stream = connect();
    stream.send(hello);
    return stream;
  }

  RawPeer openStream(int stream) throws Exception {
    RawPeer peer = dataStream(streamHello(stream).build());
    peer.expect(StreamWelcome.class);
    return peer;
  }

  List<RawPeer> openStreams() throws Exception {
    List<RawPeer> streams = new ArrayList<>();
    for (int i = 0; i < streamCount; i++) {
      streams.add(openStream(i));
    }
    return streams;
  }

  static void endRound(RawPeer stream, int round) throws Exception {
    stream.send(RoundEnd.newBuilder().setRound(round).build());
  }

  static void endRoundAndAwait(RawPeer stream, int round) throws Exception {
    endRound(stream, round);
    stream.expect(RoundAck.class);
  }

  /** The state of the VM before its first step. */
  GuestState bootState(int lastRound, long digest) throws IOException {
    return StateMessages.toProto(announced.spec().bootState(List.of()).toGuestState(), lastRound, digest, true);
  }

  /** A run of one page. */
  static PageFrame page(int round, long number, byte[] contents) {
    PageFrame frame = new PageFrame();
    frame.startRun(round, number, 1);
    put(frame, 0, contents);
    return frame;
  }

  /** A batch of one page. */
  static PageFrame batch(int round, long number, byte[] contents) {
    return batch(round, new long[]{number}, contents);
  }

  /** A batch of pages that all hold the same. */
  static PageFrame batch(int round, long[] numbers, byte[] contents) {
    PageFrame frame = new PageFrame();
    frame.startBatch(round, numbers, numbers.length);
    for (int i = 0; i < numbers.length; i++) {
      put(frame, i, contents);
    }
    return frame;
  }

  static PageFrame zeros(int round, long first, long pages) {
    return zeros(round, new long[]{first}, new long[]{pages});
  }

  static PageFrame zeros(int round, long[] firsts, long[] pages) {
    PageFrame frame = new PageFrame();
    frame.startZeroRanges(round, firsts, pages, firsts.length);
    return frame;
  }

  private static void put(PageFrame frame, int index, byte[] contents) {
    frame.buffer().put(frame.pageOffset(index), contents);
    frame.setChecksum(index, checksum(contents));
  }

  static int checksum(byte[] contents) {
    CRC32C crc = new CRC32C();
    crc.update(contents);
    return (int) crc.getValue();
  }

  static byte[] contents(int value) {
    byte[] page = new byte[PageSize.BYTES];
    Arrays.fill(page, (byte) value);
    return page;
  }

  @Override
  public void close() throws IOException {
    for (RawPeer each : sockets) {
      each.close();
    }
  }
}
