package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.pageferry.agent.guest.GuestState;
import dev.pageferry.agent.guest.qemu.MachineImage.Memory;
import dev.pageferry.common.page.PageSize;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.provider.MethodSource;

/** Both directions of QEMU's stream, against bytes that are written down in {@link TestStream}. */
class StreamTest {
  private final List<String> told = new ArrayList<>();
  private LongConsumer whenTold = page -> {
  };

  private StreamReader reader(byte[] stream) {
    return new StreamReader(Channels.newChannel(new ByteArrayInputStream(stream)), TestStream.RAM,
        new StreamReader.Sink() {
          @Override
          public boolean pages(long first, long count) {
            told.add(first + "+" + count);
            whenTold.accept(first);
            return true;
          }

          @Override
          public void restPushed() {
            told.add("rest");
          }
        });
  }

  private MachineImage read(byte[] stream) throws IOException, InterruptedException {
    return reader(stream).read();
  }

  /** With the description that QEMU sends: only one that is not empty is found. */
  private static byte[] described(byte[] stream) {
    int bare = stream.length - TestStream.BARE_DEVICES.length;
    return new TestStream().raw(Arrays.copyOf(stream, bare)).raw(TestStream.DEVICES).toBytes();
  }

  private static byte[] written(MachineImage image) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    all.writeBytes(StreamWriter.head(image.memory()));
    all.writeBytes(StreamWriter.end(image));
    return all.toByteArray();
  }

  private static TestStream wholeMachine() {
    return new TestStream().start()
        .part().page(TestStream.RAM, 3, 7).sameBlock(4, 8).sameBlock(5, 9).filled(TestStream.RAM, 9, 0)
        .page(TestStream.BIOS, 1, 0x55).endOfSection()
        .command(11, new byte[0])
        .part().page(TestStream.RAM, 4, 1).endOfSection().lastSection().raw(TestStream.DEVICES);
  }

  /** What a machine has after all that it was given, of one block. */
  private static byte[] content(MachineImage image, String name) {
    MachineBlock block = image.memory().blocks().stream().filter(each -> each.name().equals(name)).findFirst()
        .orElseThrow();
    byte[] content = new byte[(int) block.length()];
    for (BlockContent each : image.contents()) {
      if (image.memory().blocks().get(each.block()).equals(block)) {
        System.arraycopy(each.bytes(), 0, content, (int) each.offset(), each.bytes().length);
      }
    }
    return content;
  }

  @Test
  void neighbouringPagesOfRamAreToldTogetherAndTheOtherBlocksAreKept() throws Exception {
    MachineImage image = read(wholeMachine().toBytes());

    assertThat(told).containsExactly("3+3", "9+1", "4+1", "rest");
    assertThat(image.memory().machine()).isEqualTo("pc-i440fx-10.0");
    assertThat(image.memory().blocks()).extracting(MachineBlock::name).containsExactly(TestStream.RAM,
        TestStream.BIOS);
    assertThat(image.contents()).extracting(BlockContent::block).containsOnly(1);
    byte[] bios = content(image, TestStream.BIOS);
    assertThat(Arrays.copyOf(bios, PageSize.BYTES)).containsOnly(0);
    assertThat(Arrays.copyOfRange(bios, PageSize.BYTES, 2 * PageSize.BYTES)).containsOnly(0x55);
    assertThat(image.devices()).isEqualTo(TestStream.BARE_DEVICES);
    // Opening the return path and the ping are between this source and us.
    assertThat(image.commands()).extracting(StreamCommand::number).containsExactly(11);
  }

  @Test
  void whatIsWrittenForTheOtherSideIsTheSameMachineWithoutItsRam() throws Exception {
    MachineImage image = read(wholeMachine().toBytes());
    told.clear();

    MachineImage again = read(
        described(written(MachineImage.of(image.toState(), TestStream.RAM))));

    assertThat(told).containsExactly("rest");
    assertThat(again.memory()).isEqualTo(image.memory());
    assertThat(again.memory().total()).isEqualTo(TestStream.RAM_BYTES + TestStream.BIOS_BYTES);
    assertThat(content(again, TestStream.BIOS)).isEqualTo(content(image, TestStream.BIOS));
    assertThat(again.commands()).extracting(StreamCommand::number).containsExactly(11);
    assertThat(again.devices()).isEqualTo(TestStream.BARE_DEVICES);
  }

  @Test
  void theStreamForTheOtherSideHasTheseBytes() throws Exception {
    MachineImage image = read(
        new TestStream().start().part().page(TestStream.BIOS, 0, 0).filled(TestStream.BIOS, 1, 0x55)
            .endOfSection().lastSection().raw(TestStream.DEVICES).toBytes());

    byte[] expected = new TestStream().text("QEVM").int32(3).int8(7).int32(14).text("pc-i440fx-10.0")
        .int8(5).name("configuration/capabilities").int32(1).int32(1).name("x-ignore-shared")
        .int8(1).int32(TestStream.RAM_SECTION).name("ram").int32(0).int32(4)
        .int64((TestStream.RAM_BYTES + TestStream.BIOS_BYTES) | 4)
        .name(TestStream.RAM).int64(TestStream.RAM_BYTES).int64(0)
        .name(TestStream.BIOS).int64(TestStream.BIOS_BYTES).int64(0).endOfSection()
        .part().filled(TestStream.BIOS, 0, 0).page(TestStream.BIOS, 1, 0x55).endOfSection()
        .lastSection().raw(TestStream.BARE_DEVICES).toBytes();
    assertThat(written(image)).isEqualTo(expected);
  }

  @Test
  void aStreamThatEndsEarlyIsAnEnd() {
    byte[] whole = wholeMachine().toBytes();

    for (int length : new int[]{0, 3, 8, 40, 200, whole.length - TestStream.DEVICES.length, whole.length - 1}) {
      assertThatThrownBy(() -> read(Arrays.copyOf(whole, length))).as("%d bytes", length)
          .isInstanceOf(EOFException.class);
    }
  }

  @Test
  void whatIsNotKnownIsRefusedByName() {
    assertRefused(new TestStream().text("QEVN"), "magic 0x5145564e");
    assertRefused(new TestStream().text("QEVM").int32(4), "version 0x4");
    assertRefused(new TestStream().start().int8(4), "section of type 0x04");
    assertRefused(new TestStream().start().part().int64(0x100).name(TestStream.RAM), "flags 0x100");
    assertRefused(new TestStream().start().part().page("vga.vram", 0, 1), "block 'vga.vram'");
    assertRefused(new TestStream().start().part().filled(TestStream.RAM, 16, 1), "page at 65536 of block 'pc.ram'");
    assertRefused(new TestStream().text("QEVM").int32(3).int8(1).int32(9).name("vfio").int32(0).int32(1),
        "'vfio' 0 of version 1");
    assertRefused(new TestStream().text("QEVM").int32(3).int8(5).name("configuration/uuid"), "'configuration/uuid'");
    assertRefused(new TestStream().text("QEVM").int32(3).int8(5).name("configuration/capabilities").int32(1).int32(1)
        .name("multifd"), "'multifd'");
    assertRefused(new TestStream().text("QEVM").int32(3).int8(1).int32(1).name("ram").int32(0).int32(4)
        .int64(1L << 40 | 4).name("big").int64(1L << 40), "big");
  }

  private void assertRefused(TestStream stream, String part) {
    assertThatThrownBy(() -> read(stream.toBytes())).isInstanceOf(IOException.class).hasMessageContaining(part);
  }

  @Test
  void aStateOfAnotherKindOrVersionOrWithImpossibleBlocksIsRefused() throws Exception {
    MachineImage image = read(wholeMachine().toBytes());
    GuestState own = image.toState();

    assertThatThrownBy(
        () -> MachineImage.of(new GuestState("builtin", 1, own.blob()), TestStream.RAM))
        .hasMessageContaining("'builtin'");
    assertThatThrownBy(
        () -> MachineImage.of(new GuestState("qemu", 1, own.blob()), TestStream.RAM))
        .hasMessageContaining("version 1, expected");
    Memory large = new Memory("pc", 1L << 40, 1, List.of(new MachineBlock("x", 1L << 40)));
    assertThatThrownBy(() -> MachineImage.of(MachineImage.ahead(large, List.of()).toState(), TestStream.RAM))
        .hasMessageContaining("block x");
  }

  @Test
  void contentsThatAreNotWholePagesOfABlockBesideRamAreRefused() {
    Memory memory = new Memory("pc", 8 * PageSize.BYTES, 1,
        List.of(new MachineBlock(TestStream.RAM, 4 * PageSize.BYTES), new MachineBlock("x", 4 * PageSize.BYTES)));
    byte[] page = new byte[PageSize.BYTES];

    for (BlockContent wrong : List.of(new BlockContent(0, 0, PageSize.BYTES, page),
        new BlockContent(2, 0, PageSize.BYTES, page), new BlockContent(-1, 0, PageSize.BYTES, page),
        new BlockContent(1, 1, PageSize.BYTES, page), new BlockContent(1, 0, PageSize.BYTES + 1L, page),
        new BlockContent(1, 0, PageSize.BYTES, new byte[1]), new BlockContent(1, 0, 0, new byte[0]),
        new BlockContent(1, 0, PageSize.BYTES, new byte[2 * PageSize.BYTES]),
        new BlockContent(1, -PageSize.BYTES, PageSize.BYTES, page),
        new BlockContent(1, Long.MAX_VALUE - PageSize.BYTES + 1, PageSize.BYTES, page),
        new BlockContent(1, 4 * PageSize.BYTES, PageSize.BYTES, page))) {
      assertThatThrownBy(
          () -> MachineImage.of(MachineImage.ahead(memory, List.of(wrong)).toState(), TestStream.RAM))
          .as("%s", wrong).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("of block");
    }
  }

  @Test
  void aStateThatNamesMoreThanItsBlocksHaveIsRefused() {
    long length = 32 << 20;
    Memory memory = new Memory("pc", 2 * length, 1,
        List.of(new MachineBlock(TestStream.RAM, length), new MachineBlock("x", length)));
    BlockContent zeros = new BlockContent(1, 0, length, new byte[0]);

    assertThatCode(() -> MachineImage.of(MachineImage.ahead(memory, List.of(zeros, zeros)).toState(), TestStream.RAM))
        .doesNotThrowAnyException();
    assertThatThrownBy(() -> MachineImage.of(MachineImage.ahead(memory, List.of(zeros, zeros, zeros)).toState(),
        TestStream.RAM)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("or more");
  }

  @Test
  void whatIsToldAheadIsNotToldAgainUnlessItIsWrittenAgain() throws Exception {
    byte[] stream = new TestStream().start()
        .part().page(TestStream.RAM, 0, 1).page(TestStream.BIOS, 0, 1).page(TestStream.BIOS, 1, 2).endOfSection()
        .part().page(TestStream.RAM, 1, 1).page(TestStream.BIOS, 1, 3).endOfSection()
        .lastSection().raw(TestStream.DEVICES).toBytes();
    List<MachineImage> ahead = new ArrayList<>();
    StreamReader reader = reader(stream);
    whenTold = page -> {
      if (page == 1) {
        reader.takeAhead().ifPresent(ahead::add);
      }
    };

    MachineImage rest = reader.read();

    assertThat(ahead).hasSize(1);
    assertThat(ahead.get(0).contents()).extracting(BlockContent::offset, BlockContent::length)
        .containsExactly(tuple(0L, 2L * PageSize.BYTES));
    assertThat(rest.contents()).extracting(BlockContent::offset, BlockContent::length)
        .containsExactly(tuple((long) PageSize.BYTES, (long) PageSize.BYTES));
    assertThat(content(rest.behind(ahead.get(0)), TestStream.BIOS)).startsWith(1).endsWith(3);
  }

  @Test
  void whatWasPutTogetherAheadAndTakenByNobodyComesWithTheRest() throws Exception {
    byte[] stream = new TestStream().start()
        .part().page(TestStream.BIOS, 0, 1).page(TestStream.BIOS, 1, 2).endOfSection()
        .lastSection().raw(TestStream.DEVICES).toBytes();
    StreamReader reader = reader(stream);

    MachineImage whole = reader.read();

    assertThat(content(whole, TestStream.BIOS)).startsWith(1).endsWith(2);
    assertThat(reader.takeAhead()).isEmpty();
  }

  @Test
  void nothingGoesAheadBeforeAllOfTheBlocksBesideRamWasRead() throws Exception {
    List<String> ahead = new ArrayList<>();
    StreamReader reader = reader(wholeMachine().toBytes());
    whenTold = page -> reader.takeAhead().ifPresent(each -> ahead.add("page " + page));

    MachineImage whole = reader.read();

    assertThat(ahead).isEmpty();
    assertThat(content(whole, TestStream.BIOS)).endsWith(0x55);
  }

  @Test
  void whatIsToldAheadIsInPartsThatFitIntoAMessage() {
    int length = 3 << 20;
    SmallBlock firmware = new SmallBlock(1, length);
    for (int offset = 0; offset < length; offset += PageSize.BYTES) {
      firmware.fill(offset, (byte) (offset >= 2 << 20 ? 0 : 1));
    }
    Memory memory = new Memory("pc", length + 4096L, 1,
        List.of(new MachineBlock(TestStream.RAM, 4096), new MachineBlock("firmware", length)));

    List<MachineImage> parts = MachineImage.ahead(memory, firmware.takeUntold()).parts();

    assertThat(parts).hasSize(4).allSatisfy(each -> assertThat(each.toState().blob()).hasSizeLessThan(600_000));
    assertThat(parts.stream().flatMap(each -> each.contents().stream()).mapToLong(BlockContent::length).sum())
        .isEqualTo(length);
    assertThat(firmware.takeUntold()).isEmpty();
  }

  static Stream<byte[]> streams() {
    byte[] whole = wholeMachine().toBytes();
    byte[] changed = whole.clone();
    changed[60] ^= 0x40;
    return Stream.of(new byte[0], whole, changed, Arrays.copyOf(whole, 100));
  }

  @MethodSource("streams")
  @FuzzTest
  void anyBytesEndInAMachineOrAnException(byte[] stream) throws InterruptedException {
    try {
      MachineImage image = read(stream);
      assertThat(MachineImage.of(image.toState(), TestStream.RAM).devices()).isEqualTo(image.devices());
    } catch (IOException e) {
      assertThat(e).hasMessageMatching("(?s).+");
    }
  }
}
