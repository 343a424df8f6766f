package dev.pageferry.agent.guest.qemu;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.pageferry.common.page.PageSize;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;

/** Bytes as QEMU 10.0 sends them for a machine with two blocks, written down from its source and a recorded stream. */
final class TestStream {
  static final String RAM = "pc.ram";
  static final String BIOS = "pc.bios";
  static final long RAM_BYTES = 16 * PageSize.BYTES;
  static final int BIOS_BYTES = 2 * PageSize.BYTES;
  static final int RAM_SECTION = 2;
  private static final String SOME_DEVICE = "\4\0\0\0\3some device\176\0\0\0\3\0";
  /** With a description behind them, as QEMU sends it. */
  static final byte[] DEVICES = bytes(SOME_DEVICE + "\6\0\0\0\22{\"page_size\":4096}");
  /** With an empty one. */
  static final byte[] BARE_DEVICES = bytes(SOME_DEVICE + "\6\0\0\0\0");

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  static byte[] bytes(String text) {
    return text.getBytes(US_ASCII);
  }

  TestStream int8(int value) {
    bytes.write(value);
    return this;
  }

  TestStream int16(int value) {
    bytes.writeBytes(ByteBuffer.allocate(2).putShort((short) value).array());
    return this;
  }

  TestStream int32(int value) {
    bytes.writeBytes(ByteBuffer.allocate(4).putInt(value).array());
    return this;
  }

  TestStream int64(long value) {
    bytes.writeBytes(ByteBuffer.allocate(8).putLong(value).array());
    return this;
  }

  TestStream raw(byte[] some) {
    bytes.writeBytes(some);
    return this;
  }

  TestStream text(String text) {
    return raw(bytes(text));
  }

  TestStream name(String name) {
    return int8(name.length()).text(name);
  }

  /** From the magic to the end of the first section, which has both blocks. */
  TestStream start() {
    return start(BIOS_BYTES);
  }

  /** As {@link #start()}, with that much firmware. */
  TestStream start(int biosBytes) {
    return text("QEVM").int32(3).int8(7).int32(14).text("pc-i440fx-10.0")
        .command(1, new byte[0]).command(2, new byte[]{0, 0, 0, 1})
        .int8(1).int32(RAM_SECTION).name("ram").int32(0).int32(4)
        .int64((RAM_BYTES + biosBytes) | 4).name(RAM).int64(RAM_BYTES).name(BIOS).int64(biosBytes).endOfSection();
  }

  TestStream command(int number, byte[] data) {
    return int8(8).int16(number).int16(data.length).raw(data);
  }

  TestStream part() {
    return int8(2).int32(RAM_SECTION);
  }

  /** A page with that byte everywhere, sent whole. */
  TestStream page(String block, long page, int fill) {
    int64(page * PageSize.BYTES | 8).name(block);
    return content(fill);
  }

  TestStream sameBlock(long page, int fill) {
    int64(page * PageSize.BYTES | 8 | 0x20);
    return content(fill);
  }

  private TestStream content(int fill) {
    for (int i = 0; i < PageSize.BYTES; i++) {
      int8(fill);
    }
    return this;
  }

  /** A page with that byte everywhere, of which only the byte is sent. */
  TestStream filled(String block, long page, int fill) {
    return int64(page * PageSize.BYTES | 2).name(block).int8(fill);
  }

  TestStream endOfSection() {
    return int64(0x10).int8(0x7e).int32(RAM_SECTION);
  }

  TestStream lastSection() {
    return int8(3).int32(RAM_SECTION).endOfSection();
  }

  byte[] toBytes() {
    return bytes.toByteArray();
  }
}
