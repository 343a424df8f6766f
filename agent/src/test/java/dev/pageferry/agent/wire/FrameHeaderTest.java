package dev.pageferry.agent.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.google.protobuf.ByteString;
import dev.pageferry.agent.wire.WireException.Fault;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.migration.v1.Ping;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class FrameHeaderTest {
  private static final long SEQUENCE = 41;

  private final ByteBuffer frame = ControlFrames.encode(Ping.newBuilder().setNonce(77).build(), SEQUENCE);

  @Test
  void aHeaderMayStandAnywhereInABuffer() throws WireException {
    ByteBuffer shifted = Frames.buffer(new byte[3 + frame.limit()]);
    shifted.put(3, Frames.bytes(frame));

    assertThat(FrameHeader.read(shifted, 3, SEQUENCE)).isEqualTo(FrameHeader.read(frame, 0, SEQUENCE));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3})
  void everyByteOfTheMagicCounts(int at) {
    frame.put(at, (byte) (frame.get(at) ^ 1));

    assertFault(Fault.BAD_MAGIC, SEQUENCE);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
  void everyReservedFlagIsRefused(int bit) {
    frame.putShort(FrameHeader.FLAGS_AT, (short) (1 << bit));

    assertFault(Fault.RESERVED_BITS, SEQUENCE);
  }

  @Test
  void theOptionalFlagIsNotReserved() throws WireException {
    frame.putShort(FrameHeader.FLAGS_AT, (short) FrameHeader.FLAG_OPTIONAL);

    assertThat(FrameHeader.read(frame, 0, SEQUENCE).isOptional()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, Integer.MIN_VALUE, FrameHeader.MAX_BODY_BYTES + 1, Integer.MAX_VALUE})
  void aBodyThatNoFrameHasIsRefused(int bodyBytes) {
    frame.putInt(FrameHeader.BODY_BYTES_AT, bodyBytes);

    assertFault(Fault.BODY_TOO_LONG, SEQUENCE);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, FrameHeader.MAX_BODY_BYTES})
  void aBodyUpToTheLongestIsAccepted(int bodyBytes) throws WireException {
    frame.putInt(FrameHeader.BODY_BYTES_AT, bodyBytes);

    assertThat(FrameHeader.read(frame, 0, SEQUENCE).bodyBytes()).isEqualTo(bodyBytes);
  }

  @ParameterizedTest
  @ValueSource(longs = {SEQUENCE - 1, SEQUENCE + 1, 0, -SEQUENCE, Long.MIN_VALUE, Long.MAX_VALUE})
  void aFrameThatIsMissingOrComesTwiceIsRefused(long expected) {
    assertFault(Fault.OUT_OF_SEQUENCE, expected);
  }

  @Test
  void aTypeOfAnotherVersionIsReadAsItIs() throws WireException {
    frame.putShort(FrameHeader.TYPE_AT, (short) 0xffff);

    assertThat(FrameHeader.read(frame, 0, SEQUENCE).type()).isEqualTo(0xffff);
    assertThat(FrameType.ofCode(0xffff)).isNull();
  }

  @Test
  void theChecksumDetectsEveryFlippedBitOfAControlFrame() {
    byte[] whole = Frames.bytes(ControlFrames.encode(
        Hello.newBuilder().setMigrationId("m-1").setToken(ByteString.copyFromUtf8("secret")).setStreams(2).build(), 0));
    for (int bit = 0; bit < whole.length * Byte.SIZE; bit++) {
      byte[] damaged = whole.clone();
      damaged[bit / Byte.SIZE] ^= (byte) (1 << bit % Byte.SIZE);

      assertThatExceptionOfType(WireException.class).as("bit %d", bit).isThrownBy(() -> decode(damaged));
    }
  }

  @Test
  void theChecksumDetectsEveryFlippedByteBeforeThePages() {
    PageFrame page = new PageFrame();
    page.startBatch(1, new long[]{5, 600}, 2);
    page.setChecksum(0, 0x1234);
    page.setChecksum(1, 0x5678);
    page.finish(0);
    byte[] whole = Frames.bytes(page);
    int checked = FrameHeader.BYTES + PageFrameMeta.checkedBodyBytes(FrameType.PAGE_BATCH, 2);
    for (int at = 0; at < checked; at++) {
      byte[] damaged = whole.clone();
      damaged[at] ^= (byte) 0xff;

      assertThatExceptionOfType(WireException.class).as("byte %d", at).isThrownBy(() -> Frames.meta(damaged, 0));
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyTypeIsFoundByItsCode(FrameType type) {
    assertThat(FrameType.ofCode(type.code())).isEqualTo(type);
  }

  private static void decode(byte[] bytes) throws WireException {
    ByteBuffer buffer = Frames.buffer(bytes);
    FrameHeader header = FrameHeader.read(buffer, 0, 0);
    if (header.bodyBytes() != bytes.length - FrameHeader.BYTES) {
      // A reader would wait for more, or read the rest as another frame: the checksum covers neither.
      throw new WireException(Fault.BODY_MALFORMED, "bodyBytes=%d", header.bodyBytes());
    }
    // The type is not looked at before the checksum is, so that a damaged type is found as well.
    ControlFrames.decode(FrameType.HELLO, header, buffer);
  }

  private void assertFault(Fault fault, long expectedSequence) {
    assertThatExceptionOfType(WireException.class)
        .isThrownBy(() -> FrameHeader.read(frame, 0, expectedSequence))
        .satisfies(thrown -> assertThat(thrown.fault()).isEqualTo(fault)).withMessageStartingWith(fault + ": ");
  }
}
