package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.pageferry.agent.guest.GuestState;
import dev.pageferry.common.page.PageSize;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.provider.MethodSource;

/** Both directions of QEMU's stream, against bytes that are written down in {@link TestStream}. */
class StreamTest {
  private final List<String> told = new ArrayList<>();

  private MachineImage read(byte[] stream) throws IOException, InterruptedException {
    return new StreamReader(Channels.newChannel(new ByteArrayInputStream(stream)), TestStream.RAM,
        new StreamReader.Sink() {
          @Override
          public boolean pages(long first, long count) {
            told.add(first + "+" + count);
            return true;
          }

          @Override
          public void restPushed() {
            told.add("rest");
          }
        }).read();
  }

  private static TestStream wholeMachine() {
    return new TestStream().start()
        .part().page(TestStream.RAM, 3, 7).sameBlock(4, 8).sameBlock(5, 9).filled(TestStream.RAM, 9, 0)
        .page(TestStream.BIOS, 1, 0x55).endOfSection()
        .command(11, new byte[0])
        .part().page(TestStream.RAM, 4, 1).endOfSection().lastSection().raw(TestStream.DEVICES);
  }

  private static MachineBlock block(MachineImage image, String name) {
    return image.blocks().stream().filter(each -> each.name().equals(name)).findFirst().orElseThrow();
  }

  @Test
  void neighbouringPagesOfRamAreToldTogetherAndTheOtherBlocksAreKept() throws Exception {
    MachineImage image = read(wholeMachine().toBytes());

    assertThat(told).containsExactly("3+3", "9+1", "4+1", "rest");
    assertThat(image.machine()).isEqualTo("pc-i440fx-10.0");
    assertThat(image.blocks()).extracting(MachineBlock::name).containsExactly(TestStream.RAM, TestStream.BIOS);
    assertThat(block(image, TestStream.RAM).content()).isEmpty();
    byte[] bios = block(image, TestStream.BIOS).content();
    assertThat(Arrays.copyOf(bios, PageSize.BYTES)).containsOnly(0);
    assertThat(Arrays.copyOfRange(bios, PageSize.BYTES, 2 * PageSize.BYTES)).containsOnly(0x55);
    assertThat(image.devices()).isEqualTo(TestStream.DEVICES);
    // Opening the return path and the ping are between this source and us.
    assertThat(image.commands()).extracting(StreamCommand::number).containsExactly(11);
  }

  @Test
  void whatIsWrittenForTheOtherSideIsTheSameMachineWithoutItsRam() throws Exception {
    MachineImage image = read(wholeMachine().toBytes());
    told.clear();

    MachineImage again = read(StreamWriter.streamOf(MachineImage.of(image.toState(), TestStream.RAM)));

    assertThat(told).containsExactly("rest");
    assertThat(again.machine()).isEqualTo(image.machine());
    assertThat(again.ramTotal()).isEqualTo(TestStream.RAM_BYTES + TestStream.BIOS_BYTES);
    assertThat(block(again, TestStream.RAM).length()).isEqualTo(TestStream.RAM_BYTES);
    assertThat(block(again, TestStream.BIOS).content()).isEqualTo(block(image, TestStream.BIOS).content());
    assertThat(again.commands()).extracting(StreamCommand::number).containsExactly(11);
    assertThat(again.devices()).isEqualTo(TestStream.DEVICES);
  }

  @Test
  void theStreamForTheOtherSideHasTheseBytes() throws Exception {
    MachineImage image = read(new TestStream().start().lastSection().raw(TestStream.DEVICES).toBytes());

    byte[] expected = new TestStream().text("QEVM").int32(3).int8(7).int32(14).text("pc-i440fx-10.0")
        .int8(5).name("configuration/capabilities").int32(1).int32(1).name("x-ignore-shared")
        .int8(1).int32(TestStream.RAM_SECTION).name("ram").int32(0).int32(4)
        .int64((TestStream.RAM_BYTES + TestStream.BIOS_BYTES) | 4)
        .name(TestStream.RAM).int64(TestStream.RAM_BYTES).int64(0)
        .name(TestStream.BIOS).int64(TestStream.BIOS_BYTES).int64(0).endOfSection()
        .part().filled(TestStream.BIOS, 0, 0).filled(TestStream.BIOS, 1, 0).endOfSection()
        .lastSection().raw(TestStream.DEVICES).toBytes();
    assertThat(StreamWriter.streamOf(image)).isEqualTo(expected);
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
        () -> MachineImage.of(new GuestState("qemu", 2, own.blob()), TestStream.RAM))
        .hasMessageContaining("version 2");
    MachineImage large = new MachineImage("pc", 1L << 40, 1, List.of(new MachineBlock("x", 1L << 40, new byte[0])),
        List.of(), new byte[0]);
    assertThatThrownBy(() -> MachineImage.of(large.toState(), TestStream.RAM)).hasMessageContaining("block x");
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
