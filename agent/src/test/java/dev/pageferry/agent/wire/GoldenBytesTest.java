package dev.pageferry.agent.wire;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.migration.v1.Go;
import dev.pageferry.proto.migration.v1.GuestState;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.migration.v1.Vcpu;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

/** The bytes of version 1, computed by another program from docs/WIRE_PROTOCOL.md. They may never change. */
class GoldenBytesTest {
  private static final String HELLO = """
      50474659 0100 0000 14000000 54f6cfcc 0000000000000000
      0801 1002 188001 22036d2d31 2a04deadbeef 3004""";
  private static final String GO = """
      50474659 0d00 0000 03000000 03ca8252 0700000000000000
      08ac02""";
  private static final String GUEST_STATE = """
      50474659 0a00 0000 23000000 68d745c7 0900000000000000
      0805 11efcdab8967452301 1a14 0a12e807ffffffffffffffffff01030405060708 2001""";
  private static final String PAGE_RUN = """
      50474659 2000 0000 18200000 9d88c265 0200000000000000
      03000000 00000000 0100000001000000 a2de34d1 32fe719c""";
  private static final String PAGE_BATCH = """
      50474659 2100 0000 20200000 aefb780e 0300000000000000
      03000000 00000000 0700000000000000 0002000000000000 a2de34d1 32fe719c""";
  private static final String ZERO_RANGES = """
      50474659 2200 0000 28000000 85ff7b5a 0400000000000000
      00000000 00000000
      0000000000000000 0001000000000000
      0002000000000000 0100000000000000""";
  private static final String HEADER_ALONE = "50474659 3412 0100 10000000 809efe14 0807060504030201";

  private static final int CHECKSUM_OF_ELEVENS = 0xd134dea2;
  private static final int CHECKSUM_OF_COUNTING = 0x9c71fe32;

  private static final Hello HELLO_MESSAGE = Hello.newBuilder().setLowestVersion(1).setHighestVersion(2)
      .setFeatures(0x80).setMigrationId("m-1")
      .setToken(ByteString.copyFrom(new byte[]{(byte) 0xde, (byte) 0xad, (byte) 0xbe, (byte) 0xef})).setStreams(4)
      .build();
  private static final Go GO_MESSAGE = Go.newBuilder().setEpoch(300).build();
  private static final GuestState GUEST_STATE_MESSAGE = GuestState.newBuilder().setLastRound(5)
      .setPageDigest(0x0123456789abcdefL).setOperatorPaused(true)
      .addVcpus(Vcpu.newBuilder().addRegisters(1000).addRegisters(-1).addRegisters(3).addRegisters(4).addRegisters(5)
          .addRegisters(6).addRegisters(7).addRegisters(8))
      .build();

  @Test
  void aHeaderIsReadFromItsGoldenBytes() throws WireException {
    FrameHeader header = FrameHeader.read(Frames.buffer(bytes(HEADER_ALONE)), 0, 0x0102030405060708L);

    assertThat(header).isEqualTo(new FrameHeader(0x1234, 1, 0x10, 0x14fe9e80, 0x0102030405060708L));
    assertThat(header.isOptional()).isTrue();
    header.verifyChecksum(Frames.buffer(bytes(HEADER_ALONE)), 0, Frames.crc());
  }

  @Test
  void helloHasItsGoldenBytesInBothDirections() throws WireException {
    assertGolden(HELLO, FrameType.HELLO, HELLO_MESSAGE, 0);
  }

  @Test
  void goHasItsGoldenBytesInBothDirections() throws WireException {
    assertGolden(GO, FrameType.GO, GO_MESSAGE, 7);
  }

  @Test
  void guestStateHasItsGoldenBytesInBothDirections() throws WireException {
    assertGolden(GUEST_STATE, FrameType.GUEST_STATE, GUEST_STATE_MESSAGE, 9);
  }

  @Test
  void aRunOfTwoPagesHasItsGoldenBytes() {
    PageFrame frame = new PageFrame();
    frame.startRun(3, 0x1_0000_0001L, 2);
    putTwoPages(frame);
    frame.finish(2);

    assertThat(Frames.bytes(frame)).isEqualTo(concat(bytes(PAGE_RUN), elevens(), counting()));
  }

  @Test
  void aRunOfTwoPagesIsReadFromItsGoldenBytes() throws WireException {
    PageFrameMeta meta = Frames.meta(concat(bytes(PAGE_RUN), elevens(), counting()), 2);

    assertThat(meta.type()).isEqualTo(FrameType.PAGE_RUN);
    assertThat(meta.count()).isEqualTo(2);
    assertThat(meta.round()).isEqualTo(3);
    assertThat(meta.page(0)).isEqualTo(0x1_0000_0001L);
    assertThat(meta.page(1)).isEqualTo(0x1_0000_0002L);
    assertThat(meta.checksum(0)).isEqualTo(CHECKSUM_OF_ELEVENS);
    assertThat(meta.checksum(1)).isEqualTo(CHECKSUM_OF_COUNTING);
    assertThat(meta.contentBytes()).isEqualTo(2 * PageSize.BYTES);
  }

  @Test
  void aBatchHasItsGoldenBytes() {
    PageFrame frame = new PageFrame();
    frame.startBatch(3, new long[]{7, 0x200, 99}, 2);
    putTwoPages(frame);
    frame.finish(3);

    assertThat(Frames.bytes(frame)).isEqualTo(concat(bytes(PAGE_BATCH), elevens(), counting()));
  }

  @Test
  void aBatchIsReadFromItsGoldenBytes() throws WireException {
    PageFrameMeta meta = Frames.meta(concat(bytes(PAGE_BATCH), elevens(), counting()), 3);

    assertThat(meta.type()).isEqualTo(FrameType.PAGE_BATCH);
    assertThat(meta.page(0)).isEqualTo(7);
    assertThat(meta.page(1)).isEqualTo(0x200);
    assertThat(meta.checksum(1)).isEqualTo(CHECKSUM_OF_COUNTING);
  }

  @Test
  void zeroRangesHaveTheirGoldenBytesInBothDirections() throws WireException {
    PageFrame frame = new PageFrame();
    frame.startZeroRanges(0, new long[]{0, 512}, new long[]{256, 1}, 2);
    frame.finish(4);
    PageFrameMeta meta = Frames.meta(bytes(ZERO_RANGES), 4);

    assertThat(Frames.bytes(frame)).isEqualTo(bytes(ZERO_RANGES));
    assertThat(meta.count()).isEqualTo(2);
    assertThat(meta.page(1)).isEqualTo(512);
    assertThat(meta.length(0)).isEqualTo(256);
    assertThat(meta.length(1)).isEqualTo(1);
    assertThat(meta.contentBytes()).isZero();
  }

  private static void assertGolden(String golden, FrameType type, MessageLite message, long sequence)
      throws WireException {
    assertThat(Frames.bytes(ControlFrames.encode(message, sequence))).isEqualTo(bytes(golden));
    ByteBuffer frame = Frames.buffer(bytes(golden));
    FrameHeader header = FrameHeader.read(frame, 0, sequence);
    assertThat(header.type()).isEqualTo(type.code());
    assertThat(ControlFrames.decode(type, header, frame)).isEqualTo(message);
  }

  private static void putTwoPages(PageFrame frame) {
    frame.buffer().put(frame.pageOffset(0), elevens()).put(frame.pageOffset(1), counting());
    frame.setChecksum(0, CHECKSUM_OF_ELEVENS);
    frame.setChecksum(1, CHECKSUM_OF_COUNTING);
  }

  private static byte[] elevens() {
    byte[] page = new byte[PageSize.BYTES];
    Arrays.fill(page, (byte) 0x11);
    return page;
  }

  private static byte[] counting() {
    byte[] page = new byte[PageSize.BYTES];
    for (int i = 0; i < page.length; i++) {
      page[i] = (byte) i;
    }
    return page;
  }

  private static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex.replaceAll("\\s", ""));
  }

  private static byte[] concat(byte[]... parts) {
    ByteBuffer all = ByteBuffer.allocate(Arrays.stream(parts).mapToInt(each -> each.length).sum());
    Arrays.stream(parts).forEach(all::put);
    return all.array();
  }
}
