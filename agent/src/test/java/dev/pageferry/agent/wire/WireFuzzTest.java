package dev.pageferry.agent.wire;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import com.sun.management.ThreadMXBean;
import dev.pageferry.proto.migration.v1.GuestState;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.migration.v1.Refusal;
import dev.pageferry.proto.migration.v1.RoundEnd;
import dev.pageferry.proto.migration.v1.Vcpu;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever bytes come, decoding ends in a value or in {@link WireException}, and allocates no more than a frame may have.
 * Without fuzzing mode the seeds below run; with JAZZER_FUZZ=1 and
 * -Djazzer.hooks=true the bytes are the fuzzer's.
 */
class WireFuzzTest {
  private static final long VM_PAGES = 4096;
  private static final int STREAMS = 4;
  /** A body, what its parser builds of it (a packed register takes eight bytes of a byte's varint), and messages. */
  private static final long MOST_BYTES_PER_BODY_BYTE = 200;
  private static final long FIXED_BYTES = 1 << 20;

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  static Stream<byte[]> pageFrames() {
    PageFrame frame = new PageFrame();
    frame.startRun(0, 250, 2);
    frame.finish(0);
    byte[] run = Frames.bytes(frame);
    frame.startBatch(Integer.MIN_VALUE, new long[]{Long.MAX_VALUE, Long.MIN_VALUE}, 2);
    frame.finish(0);
    byte[] batch = Frames.bytes(frame);
    frame.startZeroRanges(7, new long[]{0, 1}, new long[]{Long.MAX_VALUE, -1}, 2);
    frame.finish(0);
    byte[] zeros = Frames.bytes(frame);
    byte[] longBody = zeros.clone();
    longBody[FrameHeader.BODY_BYTES_AT + 3] = 0x7f;
    return Stream.of(new byte[0], new byte[FrameHeader.BYTES], run, batch, zeros, longBody,
        Arrays.copyOf(run, FrameHeader.BYTES), Arrays.copyOf(run, FrameHeader.BYTES + 3));
  }

  static Stream<byte[]> controlFrames() {
    GuestState.Builder state = GuestState.newBuilder().setLastRound(-1).setPageDigest(-1);
    for (int i = 0; i < 64; i++) {
      state.addVcpus(Vcpu.newBuilder().addRegisters(-1).addRegisters(i));
    }
    Stream<MessageLite> messages = Stream.of(
        Hello.newBuilder().setMigrationId("m-1").setToken(ByteString.copyFromUtf8("token")).setStreams(-1).build(),
        state.build(), Refusal.newBuilder().setCode("?").setMessage("x".repeat(4000)).build(),
        RoundEnd.getDefaultInstance());
    Stream<byte[]> malformed = Stream.of(new byte[0], frame(1, new byte[]{(byte) 0xff}),
        frame(10, new byte[]{0x1a, (byte) 0xff, (byte) 0xff, (byte) 0xff, (byte) 0xff, 0x07}),
        frame(10, "\u001a\u0004\n\u0080".repeat(50).getBytes(StandardCharsets.ISO_8859_1)),
        frame(999, new byte[12]), frame(32, new byte[12]));
    return Stream.concat(messages.map(each -> Frames.bytes(ControlFrames.encode(each, 0))), malformed);
  }

  @MethodSource("pageFrames")
  @FuzzTest
  void theHeadOfAPageFrameIsReadOrRefused(byte[] bytes) {
    if (bytes.length < FrameHeader.BYTES) {
      return;
    }
    // Once before it is measured: classes that are loaded meanwhile are not the frame's.
    readPageFrame(bytes);
    long before = allocatedBytes();
    readPageFrame(bytes);
    assertThat(allocatedBytes() - before).isLessThan(FIXED_BYTES + 4L * bytes.length);
  }

  private static void readPageFrame(byte[] bytes) {
    try {
      ByteBuffer frame = Frames.buffer(bytes);
      FrameHeader header = FrameHeader.read(frame, 0, 0);
      FrameType type = FrameType.ofCode(header.type());
      if (type == null || !type.isPageFrame()) {
        return;
      }
      int count = PageFrameMeta.count(type, header.bodyBytes());
      int checkedBytes = PageFrameMeta.checkedBodyBytes(type, count);
      assertThat(checkedBytes).isBetween(1, FrameHeader.MAX_BODY_BYTES);
      if (bytes.length < FrameHeader.BYTES + checkedBytes) {
        return;
      }
      // The fuzzer cannot guess a checksum: what follows must hold for heads of any contents.
      PageFrameMeta meta = PageFrameMeta.of(type, count, frame);
      meta.verifyWithin(VM_PAGES, 1, STREAMS);
      for (int i = 0; i < meta.count(); i++) {
        assertThat(meta.page(i)).isBetween(0L, VM_PAGES - 1);
        assertThat(meta.page(i) + meta.length(i)).isBetween(1L, VM_PAGES);
        assertThat(meta.page(i) / PageFrame.BLOCK_PAGES % STREAMS).isEqualTo(1);
      }
      header.verifyChecksum(frame, checkedBytes, Frames.crc());
    } catch (WireException e) {
      assertThat(e).hasMessageStartingWith(e.fault() + ": ");
    }
  }

  @MethodSource("controlFrames")
  @FuzzTest
  void aControlFrameIsReadOrRefused(byte[] bytes) {
    if (bytes.length < FrameHeader.BYTES) {
      return;
    }
    byte[] sealed = seal(bytes);
    readControlFrame(sealed);
    long before = allocatedBytes();
    readControlFrame(sealed);
    assertThat(allocatedBytes() - before).isLessThan(FIXED_BYTES + MOST_BYTES_PER_BODY_BYTE * bytes.length);
  }

  private static void readControlFrame(byte[] bytes) {
    try {
      ByteBuffer frame = Frames.buffer(bytes);
      FrameHeader header = FrameHeader.read(frame, 0, 0);
      FrameType type = FrameType.ofCode(header.type());
      if (type == null || type.isPageFrame() || bytes.length < FrameHeader.BYTES + header.bodyBytes()) {
        return;
      }
      MessageLite message = ControlFrames.decode(type, header, frame);
      assertThat(FrameType.ofMessage(message)).isEqualTo(type);
    } catch (WireException e) {
      assertThat(e).hasMessageStartingWith(e.fault() + ": ");
    }
  }

  /** Corrects magic, sequence and checksum, so that the fuzzer gets as far as the body. */
  private static byte[] seal(byte[] bytes) {
    ByteBuffer frame = Frames.buffer(bytes);
    FrameType type = FrameType.ofCode(Short.toUnsignedInt(frame.getShort(FrameHeader.TYPE_AT)));
    int bodyBytes = Math.min(bytes.length - FrameHeader.BYTES, FrameHeader.MAX_BODY_BYTES);
    if (type != null) {
      FrameHeader.write(frame, type, 0, bodyBytes, bodyBytes, 0, Frames.crc());
    }
    return frame.array();
  }

  private static byte[] frame(int code, byte[] body) {
    ByteBuffer frame = Frames.buffer(new byte[FrameHeader.BYTES + body.length]);
    frame.putInt(0, FrameHeader.MAGIC).putShort(FrameHeader.TYPE_AT, (short) code)
        .putInt(FrameHeader.BODY_BYTES_AT, body.length).put(FrameHeader.BYTES, body);
    return frame.array();
  }

  private static long allocatedBytes() {
    return THREADS.getCurrentThreadAllocatedBytes();
  }
}
