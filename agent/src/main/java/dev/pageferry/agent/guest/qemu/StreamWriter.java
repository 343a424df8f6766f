package dev.pageferry.agent.guest.qemu;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.pageferry.agent.guest.qemu.MachineImage.Memory;
import dev.pageferry.common.page.PageSize;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.Arrays;

/**
 * Makes the stream for a QEMU whose RAM is filled by somebody else: it is told so, by the capability x-ignore-shared, and given
 * everything else, one part after the other.
 */
final class StreamWriter {
  private static final byte[] ZEROS = new byte[PageSize.BYTES];

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final DataOutputStream out = new DataOutputStream(bytes);
  private final Memory memory;

  private StreamWriter(Memory memory) {
    this.memory = memory;
  }

  private interface Writing {
    void to(StreamWriter writer) throws IOException;
  }

  private static byte[] written(Memory memory, Writing what) {
    StreamWriter writer = new StreamWriter(memory);
    try {
      what.to(writer);
    } catch (IOException e) {
      throw new AssertionError("bytes in memory cannot be written", e);
    }
    return writer.bytes.toByteArray();
  }

  /** What the stream begins with. */
  static byte[] head(Memory memory) {
    return written(memory, StreamWriter::writeHead);
  }

  /** Contents; any number of them may follow each other. */
  static byte[] contents(MachineImage part) {
    return written(part.memory(), writer -> writer.writeContents(part));
  }

  /** All that is left, to the end of the stream. */
  static byte[] end(MachineImage image) {
    return written(image.memory(), writer -> {
      writer.writeContents(image);
      writer.writeEnd(image);
    });
  }

  private void writeHead() throws IOException {
    out.writeInt(StreamFormat.MAGIC);
    out.writeInt(StreamFormat.VERSION);
    writeConfiguration();
    out.writeByte(StreamFormat.SECTION_START);
    out.writeInt(memory.section());
    writeName(StreamFormat.RAM_SECTION);
    out.writeInt(0);
    out.writeInt(StreamFormat.RAM_VERSION);
    out.writeLong(memory.total() | StreamFormat.MEMORY_SIZE);
    for (MachineBlock block : memory.blocks()) {
      writeName(block.name());
      out.writeLong(block.length());
      // With the capability: its address, which is compared for shared blocks. That of RAM is 0.
      out.writeLong(0);
    }
    writeSectionEnd();
  }

  private void writeConfiguration() throws IOException {
    byte[] machine = memory.machine().getBytes(UTF_8);
    out.writeByte(StreamFormat.CONFIGURATION);
    out.writeInt(machine.length);
    out.write(machine);
    out.writeByte(StreamFormat.SUBSECTION);
    writeName(StreamFormat.CAPABILITIES);
    out.writeInt(StreamFormat.CAPABILITIES_VERSION);
    out.writeInt(1);
    writeName(StreamFormat.IGNORE_SHARED);
  }

  private void writeContents(MachineImage part) throws IOException {
    if (part.contents().isEmpty()) {
      return;
    }
    out.writeByte(StreamFormat.SECTION_PART);
    out.writeInt(memory.section());
    for (BlockContent content : part.contents()) {
      writePages(content);
    }
    writeSectionEnd();
  }

  private void writePages(BlockContent content) throws IOException {
    String name = memory.blocks().get(content.block()).name();
    byte[] pages = content.bytes();
    for (int at = 0; at < content.length(); at += PageSize.BYTES) {
      boolean isZero = at >= pages.length || Arrays.equals(pages, at, at + PageSize.BYTES, ZEROS, 0, PageSize.BYTES);
      out.writeLong(content.offset() + at | (isZero ? StreamFormat.PAGE_FILL : StreamFormat.PAGE));
      writeName(name);
      if (isZero) {
        out.writeByte(0);
      } else {
        out.write(pages, at, PageSize.BYTES);
      }
    }
  }

  private void writeEnd(MachineImage image) throws IOException {
    for (StreamCommand command : image.commands()) {
      out.writeByte(StreamFormat.COMMAND);
      out.writeShort(command.number());
      out.writeShort(command.data().length);
      out.write(command.data());
    }
    out.writeByte(StreamFormat.SECTION_END);
    out.writeInt(memory.section());
    writeSectionEnd();
    out.write(image.devices());
  }

  private void writeSectionEnd() throws IOException {
    out.writeLong(StreamFormat.END_OF_SECTION);
    out.writeByte(StreamFormat.FOOTER);
    out.writeInt(memory.section());
  }

  private void writeName(String name) throws IOException {
    byte[] text = name.getBytes(UTF_8);
    out.writeByte(text.length);
    out.write(text);
  }
}
