package dev.pageferry.agent.savedstate;

import dev.pageferry.agent.codec.BlockCodec;
import dev.pageferry.agent.codec.Codec;
import dev.pageferry.agent.disk.StorageFiles;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongConsumer;

/**
 * Writes the memory of a paused VM to a file, by several threads at once: each takes a chunk of pages, packs those that are
 * neither zero nor equal to an earlier one into a block, reserves its place in the file and writes it there. A thread
 * holds two blocks' worth of buffers, however large the VM.
 */
public final class SavedStateWriter {
  /** How pages are packed. */
  public enum Packing {
    /** LZ4, unless a block shows that it saves next to nothing; then not for the next few blocks either. */
    AUTO,
    NONE,
    LZ4,
    ZSTD
  }

  /**
   * What was written.
   *
   * @param pagesStored whose contents are in the file
   * @param copies pages equal to one of those
   */
  public record Result(long fileBytes, long pagesStored, long copies) {
  }

  private static final int CHUNK_PAGES = Layout.MAX_PAGES;

  private final FileChannel file;
  private final PageStore ram;
  private final PageBitmap pages;
  private final Packing packing;
  private final LongConsumer progress;
  private final EqualPages equalPages;
  private final AtomicLong nextPage = new AtomicLong();
  private final AtomicLong end = new AtomicLong();
  private final LongAdder digest = new LongAdder();
  private final LongAdder stored = new LongAdder();
  private final LongAdder copies = new LongAdder();
  private final ConcurrentLinkedQueue<Long> blockOffsets = new ConcurrentLinkedQueue<>();

  private SavedStateWriter(FileChannel file, PageStore ram, PageBitmap pages, Packing packing, LongConsumer progress) {
    this.file = file;
    this.ram = ram;
    this.pages = pages;
    this.packing = available(packing);
    this.progress = progress;
    this.equalPages = new EqualPages(ram, pages.cardinality());
  }

  private static Packing available(Packing wanted) {
    boolean there = switch (wanted) {
      case NONE -> true;
      case AUTO, LZ4 -> BlockCodec.isAvailable(Codec.LZ4);
      case ZSTD -> BlockCodec.isAvailable(Codec.ZSTD);
    };
    return there ? wanted : Packing.NONE;
  }

  /**
   * Writes a file that is whole under its name, on stable storage, or not there. An interrupt ends it.
   *
   * @param metadata what the reader gets back, at most 1 MiB
   * @param pages those that may not be zero
   * @param progress told the pages looked at, by any thread
   * @throws IOException if it cannot be written; nothing is left of it
   */
  public static Result write(Path target, byte[] metadata, PageStore ram, PageBitmap pages, Packing packing,
      LongConsumer progress) throws IOException, InterruptedException {
    Path part = target.resolveSibling(target.getFileName() + ".part");
    try {
      Result result;
      try (FileChannel file = FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING,
          StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        result = new SavedStateWriter(file, ram, pages, packing, progress).write(metadata);
        // Once, at the end: flushing along the way was measured to take twice as long in all.
        file.force(true);
      }
      Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
      StorageFiles.syncDirectory(Objects.requireNonNull(target.toAbsolutePath().getParent()));
      return result;
    } catch (IOException e) {
      IOException failure = StorageFiles.failure(target, "written", e);
      remove(part, failure);
      throw failure;
    } catch (InterruptedException | RuntimeException | Error e) {
      remove(part, e);
      throw e;
    }
  }

  private static void remove(Path part, Throwable failure) {
    try {
      Files.deleteIfExists(part);
    } catch (IOException suppressed) {
      failure.addSuppressed(suppressed);
    }
  }

  private Result write(byte[] metadata) throws IOException, InterruptedException {
    writeHeader(metadata);
    try (Workers workers = new Workers("save")) {
      workers.run(this::packChunks);
    }
    writeEnd();
    return new Result(end.get(), stored.sum(), copies.sum());
  }

  private void writeHeader(byte[] metadata) throws IOException {
    if (metadata.length > Layout.MAX_METADATA_BYTES) {
      throw new IllegalArgumentException("metadata of %d bytes exceeds %d".formatted(metadata.length,
          Layout.MAX_METADATA_BYTES));
    }
    ByteBuffer header = Layout.allocate(Layout.HEADER_BYTES + metadata.length);
    header.putLong(0, Layout.FILE_MAGIC).putShort(Layout.VERSION_AT, (short) Layout.VERSION)
        .putInt(Layout.METADATA_BYTES_AT, metadata.length).putLong(Layout.PAGE_COUNT_AT, ram.pageCount())
        .putInt(Layout.PAGE_BYTES_AT, PageSize.BYTES).put(Layout.HEADER_BYTES, metadata);
    header.putInt(Layout.HEADER_CHECKSUM_AT, Layout.headerChecksum(header, ByteBuffer.wrap(metadata)));
    append(header.clear());
  }

  /** One worker's work. */
  private void packChunks(Workers workers) throws IOException {
    Packer packer = new Packer();
    while (!workers.isEnding()) {
      long first = nextPage.getAndAdd(CHUNK_PAGES);
      if (first >= ram.pageCount()) {
        break;
      }
      long chunkEnd = Math.min(ram.pageCount(), first + CHUNK_PAGES);
      for (long page = pages.next(first, chunkEnd); page >= 0; page = pages.next(page + 1, chunkEnd)) {
        packer.look(page);
      }
      packer.writePages();
      progress.accept(chunkEnd - first);
    }
    packer.writeCopies();
  }

  private void writeEnd() throws IOException {
    long[] offsets = blockOffsets.stream().mapToLong(Long::longValue).toArray();
    Arrays.sort(offsets);
    int tableBytes = Math.toIntExact(Layout.END_FIXED_BYTES + (long) offsets.length * Long.BYTES);
    ByteBuffer block = Layout.allocate(Layout.BLOCK_HEADER_BYTES + tableBytes + Layout.TRAILER_BYTES);
    block.position(Layout.BLOCK_HEADER_BYTES);
    block.putLong(digest.sum()).putLong(stored.sum()).putLong(copies.sum());
    for (long each : offsets) {
      block.putLong(each);
    }
    Layout.putBlockHeader(block, Layout.END, Codec.NONE.code(), tableBytes, 0, ByteBuffer.allocate(0));
    ByteBuffer trailer = block.slice(block.position(), Layout.TRAILER_BYTES).order(block.order());
    trailer.putLong(0, end.get());
    trailer.putInt(Layout.TRAILER_CHECKSUM_AT, Layout.trailerChecksum(trailer)).putInt(Layout.TRAILER_MAGIC_AT,
        Layout.TRAILER_MAGIC);
    append(block.clear());
  }

  private void appendBlock(ByteBuffer... parts) throws IOException {
    blockOffsets.add(append(parts));
  }

  /** @return where it stands in the file */
  private long append(ByteBuffer... parts) throws IOException {
    long bytes = 0;
    for (ByteBuffer each : parts) {
      bytes += each.remaining();
    }
    long start = end.getAndAdd(bytes);
    long at = start;
    for (ByteBuffer each : parts) {
      while (each.hasRemaining()) {
        at += file.write(each, at);
      }
    }
    return start;
  }

  /** One worker's block. */
  private final class Packer {
    private static final int MIN_SAVING_PERCENT = 8;
    private static final int BLOCKS_LEFT_ALONE = 15;

    private final BlockCodec codec = new BlockCodec();
    private final ByteBuffer block = Layout.allocate(Layout.BLOCK_HEADER_BYTES + Layout.MAX_TABLE_BYTES);
    private final ByteBuffer contents = Layout.allocate(Layout.MAX_RAW_BYTES);
    private final ByteBuffer packed = Layout.allocate(BlockCodec.maxStoredBytes(Layout.MAX_RAW_BYTES));
    private final long[] chosen = new long[Layout.MAX_PAGES];
    private final long[] pairs = new long[2 * Layout.MAX_COPIES];
    private int chosenCount;
    private int pairCount;
    private int leaveAlone;

    void look(long page) throws IOException {
      if (ram.isZero(page)) {
        return;
      }
      long hash = ram.hash(page);
      digest.add(Layout.digestOf(page, hash));
      long first = equalPages.firstLike(page, hash);
      if (first == page) {
        chosen[chosenCount++] = page;
        return;
      }
      pairs[2 * pairCount] = page;
      pairs[2 * pairCount + 1] = first;
      if (++pairCount == Layout.MAX_COPIES) {
        writeCopies();
      }
    }

    void writePages() throws IOException {
      if (chosenCount == 0) {
        return;
      }
      int rawBytes = chosenCount * PageSize.BYTES;
      int tableBytes = chosenCount * Long.BYTES;
      block.clear().position(Layout.BLOCK_HEADER_BYTES);
      for (int i = 0; i < chosenCount; i++) {
        block.putLong(chosen[i]);
      }
      ByteBuffer raw = contents();
      Codec used = pack(raw);
      ByteBuffer payload = used == Codec.NONE ? raw : packed;
      Layout.putBlockHeader(block, Layout.PAGES, used.code(), tableBytes, rawBytes, payload);
      block.position(0).limit(Layout.BLOCK_HEADER_BYTES + tableBytes);
      appendBlock(block, payload);
      stored.add(chosenCount);
      chosenCount = 0;
    }

    /** The chosen pages one behind the other; where they are neighbours, in RAM itself. */
    private ByteBuffer contents() {
      if (chosen[chosenCount - 1] - chosen[0] == chosenCount - 1) {
        return ram.window(chosen[0], chosenCount);
      }
      for (int i = 0; i < chosenCount; i++) {
        ram.copyOut(chosen[i], 1, contents, i * PageSize.BYTES);
      }
      return contents.position(0).limit(chosenCount * PageSize.BYTES);
    }

    /** Packs into {@link #packed}, ready to be read; NONE where that is of no use. */
    private Codec pack(ByteBuffer raw) {
      if (packing == Packing.NONE || (packing == Packing.AUTO && leaveAlone-- > 0)) {
        return Codec.NONE;
      }
      Codec wanted = packing == Packing.ZSTD ? Codec.ZSTD : Codec.LZ4;
      int bytes = codec.compress(wanted, raw, packed);
      if (bytes > raw.remaining() / 100 * (100 - MIN_SAVING_PERCENT)) {
        leaveAlone = BLOCKS_LEFT_ALONE;
        return Codec.NONE;
      }
      leaveAlone = 0;
      packed.position(0).limit(bytes);
      return wanted;
    }

    void writeCopies() throws IOException {
      if (pairCount == 0) {
        return;
      }
      int tableBytes = pairCount * Layout.COPY_BYTES;
      block.clear().position(Layout.BLOCK_HEADER_BYTES);
      for (int i = 0; i < 2 * pairCount; i++) {
        block.putLong(pairs[i]);
      }
      Layout.putBlockHeader(block, Layout.COPIES, Codec.NONE.code(), tableBytes, 0, ByteBuffer.allocate(0));
      appendBlock(block.position(0).limit(Layout.BLOCK_HEADER_BYTES + tableBytes));
      copies.add(pairCount);
      pairCount = 0;
    }
  }
}
