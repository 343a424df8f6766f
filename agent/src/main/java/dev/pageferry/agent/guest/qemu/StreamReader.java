package dev.pageferry.agent.guest.qemu;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.pageferry.common.page.PageSize;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Reads the stream of a machine that leaves: the numbers of the pages of RAM as they come, everything else as it is. Not for
 * several threads. What cannot be understood is refused by name; nothing that a machine sends makes this take more than
 * {@value #MOST_BYTES} bytes for each of its parts.
 */
final class StreamReader {
  static final int MOST_BYTES = 64 << 20;
  private static final int CHUNK_BYTES = 1 << 20;
  /** Its type and its length. */
  private static final int DESCRIPTION_HEADER = 1 + Integer.BYTES;
  private static final int OFFSET_BITS = 12;

  /** Hears of the pages of RAM. */
  interface Sink {
    /**
     * Neighbouring pages of RAM are to be sent: what they held was read after their last store before this.
     *
     * @return false: nothing more is wanted
     */
    boolean pages(long first, long count) throws InterruptedException;

    /** The machine is paused, and all pages that were written were told of. */
    void restPushed();

    /** All of the blocks beside RAM was read once: {@link #takeAhead} has it. Nothing more is read until this returns. */
    default void smallBlocksRead() throws InterruptedException {
    }
  }

  private final ReadableByteChannel channel;
  private final String ramBlock;
  private final Sink sink;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(CHUNK_BYTES).flip();
  private final Map<String, MachineBlock> blocks = new LinkedHashMap<>();
  /** All blocks but RAM. */
  private final Map<String, SmallBlock> small = new LinkedHashMap<>();
  private final AtomicReference<@Nullable MachineImage> ahead = new AtomicReference<>();
  private boolean isAheadTold;
  private final List<StreamCommand> commands = new ArrayList<>();
  private String machine = "";
  private long ramTotal;
  private int ramSection = -1;
  private boolean leavesOutRam;
  private String lastBlock = "";
  private long runFirst;
  private long runPages;

  /**
   * @param channel blocking
   * @param ramBlock whose pages are told of, and not kept
   */
  StreamReader(ReadableByteChannel channel, String ramBlock, Sink sink) {
    this.channel = channel;
    this.ramBlock = ramBlock;
    this.sink = sink;
  }

  /**
   * Reads to the end of what a machine sends before it waits for leave to complete.
   *
   * @throws EOFException if the stream ends before, as that of a cancelled move does
   * @throws InterruptedException if nothing more is wanted, or this thread is interrupted
   */
  MachineImage read() throws IOException, InterruptedException {
    expect(StreamFormat.MAGIC, readInt(), "magic");
    expect(StreamFormat.VERSION, readInt(), "version");
    while (!readSection()) {
      tell();
      if (!isAheadTold && ramSection >= 0 && small.values().stream().allMatch(SmallBlock::isWhole)) {
        isAheadTold = true;
        ahead.set(MachineImage.ahead(memory(), takeUntold()));
        sink.smallBlocksRead();
      }
    }
    tell();
    sink.restPushed();
    byte[] devices = readToEnd();
    MachineImage rest = MachineImage.whole(memory(), takeUntold(), List.copyOf(commands), devices);
    MachineImage untold = ahead.getAndSet(null);
    return untold == null ? rest : rest.behind(untold);
  }

  /**
   * What the blocks beside RAM held when all of them had been read, once: who has taken it has to tell of it, and what is returned at
   * the end is what came since. Any thread may call.
   */
  Optional<MachineImage> takeAhead() {
    return Optional.ofNullable(ahead.getAndSet(null));
  }

  private MachineImage.Memory memory() {
    return new MachineImage.Memory(machine, ramTotal, ramSection, List.copyOf(blocks.values()));
  }

  private List<BlockContent> takeUntold() {
    List<BlockContent> untold = new ArrayList<>();
    small.values().forEach(each -> untold.addAll(each.takeUntold()));
    return untold;
  }

  /** @return whether that was the last one of RAM */
  private boolean readSection() throws IOException, InterruptedException {
    int type = readByte();
    switch (type) {
      case StreamFormat.CONFIGURATION -> machine = readText(readInt());
      case StreamFormat.COMMAND -> readCommand();
      case StreamFormat.SECTION_START -> {
        readHeader();
        readRecords();
      }
      case StreamFormat.SECTION_PART, StreamFormat.SECTION_END -> {
        expect(ramSection, readInt(), "section");
        readRecords();
      }
      case StreamFormat.SUBSECTION -> readCapabilities();
      default -> throw new IOException("QEMU sends a section of type 0x%02x before its devices".formatted(type));
    }
    return type == StreamFormat.SECTION_END;
  }

  /** The only part of a configuration that is known here, and of it the only capability. */
  private void readCapabilities() throws IOException {
    String name = readText(readByte());
    if (!name.equals(StreamFormat.CAPABILITIES)) {
      throw new IOException("QEMU sends '%s' with its configuration, which is not known here".formatted(name));
    }
    expect(StreamFormat.CAPABILITIES_VERSION, readInt(), "capabilities of version");
    for (int left = readInt(); left > 0; left--) {
      String capability = readText(readByte());
      if (!capability.equals(StreamFormat.IGNORE_SHARED)) {
        throw new IOException("QEMU sends with the capability '%s', which is not known here".formatted(capability));
      }
      leavesOutRam = true;
    }
  }

  private void readCommand() throws IOException {
    int command = readShort();
    byte[] data = readBytes(readShort());
    if (command != StreamFormat.COMMAND_OPEN_RETURN_PATH && command != StreamFormat.COMMAND_PING) {
      commands.add(new StreamCommand(command, data));
    }
  }

  private void readHeader() throws IOException {
    ramSection = readInt();
    String name = readText(readByte());
    int instance = readInt();
    int version = readInt();
    if (!name.equals(StreamFormat.RAM_SECTION) || instance != 0 || version != StreamFormat.RAM_VERSION) {
      throw new IOException("the machine has '%s' %d of version %d, which cannot be moved while it runs"
          .formatted(name, instance, version));
    }
  }

  private void readRecords() throws IOException, InterruptedException {
    while (true) {
      long record = readLong();
      int flags = (int) (record & (PageSize.BYTES - 1));
      long offset = record - flags;
      if (flags == StreamFormat.END_OF_SECTION) {
        break;
      }
      if (flags == StreamFormat.MEMORY_SIZE) {
        readBlocks(offset);
      } else {
        readPage(offset, flags);
      }
    }
    expect(StreamFormat.FOOTER, readByte(), "footer");
    expect(ramSection, readInt(), "section in the footer");
  }

  private void readBlocks(long total) throws IOException {
    ramTotal = total;
    long left = total;
    while (left > 0) {
      String name = readText(readByte());
      long length = readLong();
      if (length <= 0 || length > left || length % PageSize.BYTES != 0 || blocks.containsKey(name)) {
        throw new IOException("block %s of %d bytes, with %d left".formatted(name, length, left));
      }
      if (leavesOutRam) {
        long _ = readLong(); // its address
      }
      left -= length;
      if (!name.equals(ramBlock)) {
        small.put(name, smallBlock(name, length));
      }
      blocks.put(name, new MachineBlock(name, length));
    }
    if (!blocks.containsKey(ramBlock)) {
      throw new IOException("the machine has no block %s, but %s".formatted(ramBlock, blocks.keySet()));
    }
  }

  private SmallBlock smallBlock(String name, long length) throws IOException {
    long kept = small.values().stream().mapToLong(SmallBlock::length).sum();
    if (length + kept > MOST_BYTES) {
      throw new IOException("the machine has memory beside its RAM (%s, %d bytes) that cannot be moved"
          .formatted(name, length));
    }
    return new SmallBlock(blocks.size(), (int) length);
  }

  private void readPage(long offset, int flags) throws IOException, InterruptedException {
    if ((flags & StreamFormat.SAME_BLOCK) == 0) {
      lastBlock = readText(readByte());
    }
    MachineBlock block = blocks.get(lastBlock);
    if (block == null || offset + PageSize.BYTES > block.length()) {
      throw new IOException("a page at %d of block '%s'".formatted(offset, lastBlock));
    }
    SmallBlock kept = small.get(lastBlock);
    switch (flags & ~StreamFormat.SAME_BLOCK) {
      case StreamFormat.PAGE_FILL -> {
        byte fill = (byte) readByte();
        if (kept != null) {
          kept.fill((int) offset, fill);
        }
      }
      case StreamFormat.PAGE -> {
        if (kept == null) {
          skip(PageSize.BYTES);
        } else {
          kept.put((int) offset, readBytes(PageSize.BYTES));
        }
      }
      default -> throw new IOException("a page with flags 0x%x".formatted(flags));
    }
    if (kept == null) {
      note(offset >>> OFFSET_BITS);
    }
  }

  private void note(long page) throws InterruptedException {
    if (runPages > 0 && page == runFirst + runPages) {
      runPages++;
      return;
    }
    tell();
    runFirst = page;
    runPages = 1;
  }

  private void tell() throws InterruptedException {
    long pages = runPages;
    runPages = 0;
    if (pages > 0 && !sink.pages(runFirst, pages)) {
      throw new InterruptedException("nothing more of the machine is wanted");
    }
  }

  /**
   * Devices, of which only their QEMU knows where one ends; a description, which has a length, is the last. It is for people, and most of the
   * bytes: an empty one is as good to QEMU. Source: {@code qemu_loadvm_state} in QEMU's {@code migration/savevm.c}.
   */
  private byte[] readToEnd() throws IOException {
    ByteArrayOutputStream rest = new ByteArrayOutputStream();
    while (true) {
      byte[] chunk = readBytes(buffer.remaining());
      rest.writeBytes(chunk);
      if (chunk.length > 0 && chunk[chunk.length - 1] == '}') {
        byte[] all = rest.toByteArray();
        int description = descriptionOf(all);
        if (description >= 0) {
          return ByteBuffer.allocate(description + DESCRIPTION_HEADER).put(all, 0, description + 1).array();
        }
      }
      if (rest.size() > MOST_BYTES) {
        throw new IOException("the devices' state has more than %d bytes".formatted(MOST_BYTES));
      }
      fill();
    }
  }

  /** Where the description begins that these bytes end with; -1: they do not. */
  private static int descriptionOf(byte[] bytes) {
    ByteBuffer all = ByteBuffer.wrap(bytes);
    for (int i = bytes.length - 8; i >= 0; i--) {
      if (bytes[i] == StreamFormat.EOF && bytes[i + 1] == StreamFormat.DESCRIPTION && bytes[i + 6] == '{'
          && all.getInt(i + 2) == bytes.length - i - 6) {
        return i + 1;
      }
    }
    return -1;
  }

  private static void expect(int expected, int found, String what) throws IOException {
    if (found != expected) {
      throw new IOException("QEMU's stream has %s 0x%x, expected 0x%x".formatted(what, found, expected));
    }
  }

  private void fill() throws IOException {
    buffer.compact();
    try {
      if (channel.read(buffer) < 0) {
        throw new EOFException("QEMU's stream ended");
      }
    } finally {
      buffer.flip();
    }
  }

  private void need(int bytes) throws IOException {
    while (buffer.remaining() < bytes) {
      fill();
    }
  }

  private int readByte() throws IOException {
    need(1);
    return buffer.get() & 0xff;
  }

  private int readShort() throws IOException {
    need(Short.BYTES);
    return buffer.getShort() & 0xffff;
  }

  private int readInt() throws IOException {
    need(Integer.BYTES);
    return buffer.getInt();
  }

  private long readLong() throws IOException {
    need(Long.BYTES);
    return buffer.getLong();
  }

  private void skip(int bytes) throws IOException {
    need(bytes);
    buffer.position(buffer.position() + bytes);
  }

  private byte[] readBytes(int length) throws IOException {
    need(length);
    byte[] bytes = new byte[length];
    buffer.get(bytes);
    return bytes;
  }

  private String readText(int length) throws IOException {
    if (length < 0 || length > StreamFormat.LONGEST_NAME) {
      throw new IOException("QEMU's stream has a name of %d bytes".formatted(length));
    }
    return new String(readBytes(length), UTF_8);
  }
}
