package dev.pageferry.agent.wire;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.migration.v1.GuestState;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.migration.v1.Refusal;
import dev.pageferry.proto.migration.v1.RoundAck;
import dev.pageferry.proto.migration.v1.Vcpu;
import java.nio.ByteBuffer;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever is written is read back, for inputs that follow from the seed alone. */
class FrameRoundTripTest {
  /** One frame is used for all, as a sender does: nothing of an earlier one may shine through. */
  private final PageFrame frame = new PageFrame();

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void pageFramesComeBackAsTheyWereWritten(long seed) throws WireException {
    Random random = new Random(seed);
    for (int i = 0; i < 40; i++) {
      switch (random.nextInt(3)) {
        case 0 -> roundTripOfRun(random);
        case 1 -> roundTripOfBatch(random);
        default -> roundTripOfZeroRanges(random);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {11, 12, 13, 14})
  void controlFramesComeBackAsTheyWereWritten(long seed) throws WireException {
    Random random = new Random(seed);
    for (int i = 0; i < 200; i++) {
      MessageLite message = message(random);
      long sequence = random.nextLong();
      ByteBuffer bytes = ControlFrames.encode(message, sequence);
      FrameHeader header = FrameHeader.read(bytes, 0, sequence);
      FrameType type = FrameType.ofMessage(message);

      assertThat(header.type()).isEqualTo(type.code());
      assertThat(header.bodyBytes()).isEqualTo(bytes.remaining() - FrameHeader.BYTES);
      assertThat(ControlFrames.decode(type, header, bytes)).isEqualTo(message);
    }
  }

  private void roundTripOfRun(Random random) throws WireException {
    int round = random.nextInt();
    long first = random.nextLong();
    int pages = 1 + random.nextInt(PageFrame.MAX_PAGES);
    long sequence = random.nextLong();
    frame.startRun(round, first, pages);
    byte[][] contents = fill(random, pages);
    frame.finish(sequence);

    PageFrameMeta meta = Frames.meta(Frames.bytes(frame), sequence);
    assertThat(meta.type()).isEqualTo(FrameType.PAGE_RUN);
    assertThat(meta.round()).isEqualTo(round);
    for (int i = 0; i < pages; i++) {
      assertThat(meta.page(i)).isEqualTo(first + i);
      assertThat(meta.length(i)).isEqualTo(1);
    }
    assertContents(meta, contents);
  }

  private void roundTripOfBatch(Random random) throws WireException {
    int round = random.nextInt();
    int pages = 1 + random.nextInt(PageFrame.MAX_PAGES);
    long[] numbers = random.longs(PageFrame.MAX_PAGES).toArray();
    long sequence = random.nextLong();
    frame.startBatch(round, numbers, pages);
    byte[][] contents = fill(random, pages);
    frame.finish(sequence);

    PageFrameMeta meta = Frames.meta(Frames.bytes(frame), sequence);
    assertThat(meta.type()).isEqualTo(FrameType.PAGE_BATCH);
    assertThat(meta.round()).isEqualTo(round);
    for (int i = 0; i < pages; i++) {
      assertThat(meta.page(i)).isEqualTo(numbers[i]);
    }
    assertContents(meta, contents);
  }

  private void roundTripOfZeroRanges(Random random) throws WireException {
    int ranges = 1 + random.nextInt(PageFrame.MAX_RANGES);
    long[] firsts = random.longs(PageFrame.MAX_RANGES).toArray();
    long[] lengths = random.longs(PageFrame.MAX_RANGES).toArray();
    long sequence = random.nextLong();
    frame.startZeroRanges(random.nextInt(), firsts, lengths, ranges);
    frame.finish(sequence);

    PageFrameMeta meta = Frames.meta(Frames.bytes(frame), sequence);
    assertThat(meta.count()).isEqualTo(ranges);
    assertThat(meta.contentBytes()).isZero();
    for (int i = 0; i < ranges; i++) {
      assertThat(meta.page(i)).isEqualTo(firsts[i]);
      assertThat(meta.length(i)).isEqualTo(lengths[i]);
    }
  }

  private byte[][] fill(Random random, int pages) {
    byte[][] contents = new byte[pages][PageSize.BYTES];
    for (int i = 0; i < pages; i++) {
      random.nextBytes(contents[i]);
      frame.buffer().put(frame.pageOffset(i), contents[i]);
      frame.setChecksum(i, checksum(contents[i]));
    }
    return contents;
  }

  private void assertContents(PageFrameMeta meta, byte[][] contents) {
    assertThat(meta.count()).isEqualTo(contents.length);
    assertThat(meta.contentBytes()).isEqualTo(contents.length * PageSize.BYTES);
    byte[] whole = Frames.bytes(frame);
    int at = whole.length - meta.contentBytes();
    for (int i = 0; i < contents.length; i++) {
      assertThat(meta.checksum(i)).isEqualTo(checksum(contents[i]));
      assertThat(Frames.buffer(whole).slice(at + i * PageSize.BYTES, PageSize.BYTES))
          .isEqualTo(ByteBuffer.wrap(contents[i]));
    }
  }

  private static int checksum(byte[] bytes) {
    CRC32C crc = Frames.crc();
    crc.update(bytes);
    return (int) crc.getValue();
  }

  private static MessageLite message(Random random) {
    return switch (random.nextInt(4)) {
      case 0 -> Hello.newBuilder().setLowestVersion(random.nextInt()).setHighestVersion(random.nextInt())
          .setFeatures(random.nextLong()).setMigrationId("m" + random.nextInt()).setToken(randomBytes(random, 64))
          .setStreams(random.nextInt()).build();
      case 1 -> RoundAck.newBuilder().setRound(random.nextInt()).setStream(random.nextInt())
          .setPages(random.nextLong()).setBytes(random.nextLong()).build();
      case 2 -> Refusal.newBuilder().setCode("INTERNAL").setMessage("ü".repeat(random.nextInt(5000))).build();
      default -> guestState(random);
    };
  }

  private static GuestState guestState(Random random) {
    GuestState.Builder state = GuestState.newBuilder().setLastRound(random.nextInt())
        .setPageDigest(random.nextLong()).setOperatorPaused(random.nextBoolean());
    for (int i = random.nextInt(65); i > 0; i--) {
      Vcpu.Builder vcpu = Vcpu.newBuilder();
      random.longs(8).forEach(vcpu::addRegisters);
      state.addVcpus(vcpu);
    }
    return state.build();
  }

  private static ByteString randomBytes(Random random, int most) {
    byte[] bytes = new byte[random.nextInt(most)];
    random.nextBytes(bytes);
    return ByteString.copyFrom(bytes);
  }
}
