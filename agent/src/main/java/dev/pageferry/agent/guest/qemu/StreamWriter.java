package dev.pageferry.agent.guest.qemu;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.pageferry.common.page.PageSize;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;

/**
 * Makes the stream for a QEMU whose RAM is filled already: it is told so, by the capability x-ignore-shared, and given everything
 * else.
 */
final class StreamWriter {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final DataOutputStream out = new DataOutputStream(bytes);
  private final MachineImage image;

  private StreamWriter(MachineImage image) {
    this.image = image;
  }

  static byte[] streamOf(MachineImage image) {
    StreamWriter writer = new StreamWriter(image);
    try {
      writer.write();
    } catch (IOException e) {
      throw new AssertionError("bytes in memory cannot be written", e);
    }
    return writer.bytes.toByteArray();
  }

  private void write() throws IOException {
    out.writeInt(StreamFormat.MAGIC);
    out.writeInt(StreamFormat.VERSION);
    writeConfiguration();
    writeHeader();
    out.writeByte(StreamFormat.SECTION_PART);
    out.writeInt(image.ramSection());
    for (MachineBlock block : image.blocks()) {
      writePages(block);
    }
    writeSectionEnd();
    for (StreamCommand command : image.commands()) {
      out.writeByte(StreamFormat.COMMAND);
      out.writeShort(command.number());
      out.writeShort(command.data().length);
      out.write(command.data());
    }
    out.writeByte(StreamFormat.SECTION_END);
    out.writeInt(image.ramSection());
    writeSectionEnd();
    out.write(image.devices());
  }

  private void writeConfiguration() throws IOException {
    byte[] machine = image.machine().getBytes(UTF_8);
    out.writeByte(StreamFormat.CONFIGURATION);
    out.writeInt(machine.length);
    out.write(machine);
    out.writeByte(StreamFormat.SUBSECTION);
    writeName(StreamFormat.CAPABILITIES);
    out.writeInt(StreamFormat.CAPABILITIES_VERSION);
    out.writeInt(1);
    writeName(StreamFormat.IGNORE_SHARED);
  }

  private void writeHeader() throws IOException {
    out.writeByte(StreamFormat.SECTION_START);
    out.writeInt(image.ramSection());
    writeName(StreamFormat.RAM_SECTION);
    out.writeInt(0);
    out.writeInt(StreamFormat.RAM_VERSION);
    out.writeLong(image.ramTotal() | StreamFormat.MEMORY_SIZE);
    for (MachineBlock block : image.blocks()) {
      writeName(block.name());
      out.writeLong(block.length());
      // With the capability: its address, which is compared for shared blocks. That of RAM is 0.
      out.writeLong(0);
    }
    writeSectionEnd();
  }

  private void writePages(MachineBlock block) throws IOException {
    for (int offset = 0; offset < block.content().length; offset += PageSize.BYTES) {
      boolean isZero = isZero(block.content(), offset);
      out.writeLong(offset | (isZero ? StreamFormat.PAGE_FILL : StreamFormat.PAGE));
      writeName(block.name());
      if (isZero) {
        out.writeByte(0);
      } else {
        out.write(block.content(), offset, PageSize.BYTES);
      }
    }
  }

  private static boolean isZero(byte[] content, int offset) {
    for (int i = offset; i < offset + PageSize.BYTES; i++) {
      if (content[i] != 0) {
        return false;
      }
    }
    return true;
  }

  private void writeSectionEnd() throws IOException {
    out.writeLong(StreamFormat.END_OF_SECTION);
    out.writeByte(StreamFormat.FOOTER);
    out.writeInt(image.ramSection());
  }

  private void writeName(String name) throws IOException {
    byte[] text = name.getBytes(UTF_8);
    out.writeByte(text.length);
    out.write(text);
  }
}
