package dev.pageferry.agent.savedstate;

import dev.pageferry.agent.codec.BlockCodec;
import dev.pageferry.agent.codec.Codec;
import dev.pageferry.agent.disk.StorageFiles;
import dev.pageferry.agent.memory.AtomicPageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.os.ReadAhead;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongConsumer;

/**
 * Reads a saved state back. Every length is checked against the file and the VM before anything is allocated or placed, every
 * block by its checksum, and in the end the digest of all pages: until then the memory is not to be used.
 */
public final class SavedStateReader implements AutoCloseable {
  /** Blocks that one worker takes at a time. */
  private static final int STRETCH = 16;
  /** How many blocks before it is read a block is announced to the kernel: some 32 MiB. */
  private static final int ANNOUNCED = 32;

  private final Path path;
  private final FileChannel file;
  private final long fileBytes;
  private final byte[] metadata;
  private final long pageCount;

  private SavedStateReader(Path path, FileChannel file) throws IOException {
    this.path = path;
    this.file = file;
    this.fileBytes = file.size();
    ByteBuffer header = read(0, Layout.HEADER_BYTES);
    verify(header.getLong(0) == Layout.FILE_MAGIC, "is no saved state: it begins with %016x", header.getLong(0));
    verify(header.getShort(Layout.VERSION_AT) == Layout.VERSION, "has version %d, this program reads %d",
        header.getShort(Layout.VERSION_AT), Layout.VERSION);
    int metadataBytes = header.getInt(Layout.METADATA_BYTES_AT);
    verify(metadataBytes >= 0 && metadataBytes <= Layout.MAX_METADATA_BYTES, "names %d bytes of metadata",
        metadataBytes);
    ByteBuffer body = read(Layout.HEADER_BYTES, metadataBytes);
    int checksum = Layout.headerChecksum(header, body);
    verify(header.getInt(Layout.HEADER_CHECKSUM_AT) == checksum, "checksum of its header is %08x, expected %08x",
        header.getInt(Layout.HEADER_CHECKSUM_AT), checksum);
    verify(header.getInt(Layout.PAGE_BYTES_AT) == PageSize.BYTES, "has pages of %d bytes, expected %d",
        header.getInt(Layout.PAGE_BYTES_AT), PageSize.BYTES);
    this.pageCount = header.getLong(Layout.PAGE_COUNT_AT);
    this.metadata = new byte[metadataBytes];
    body.get(0, metadata);
  }

  /** @throws SavedStateException if it is no saved state of a version that is read here */
  public static SavedStateReader open(Path path) throws IOException {
    FileChannel file;
    try {
      file = FileChannel.open(path, StandardOpenOption.READ);
    } catch (FileSystemException e) {
      throw StorageFiles.failure(path, "opened", e);
    }
    try {
      return new SavedStateReader(path, file);
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /** What the writer was given. */
  public byte[] metadata() {
    return metadata.clone();
  }

  public long pageCount() {
    return pageCount;
  }

  public long fileBytes() {
    return fileBytes;
  }

  /**
   * Reads all pages into zero-filled memory. An interrupt ends it.
   *
   * @param written receives the pages that may not be zero any more
   * @param progress told the bytes of the file read, by any thread
   * @throws SavedStateException if the file is damaged or not of this size; the memory is of no use then
   */
  public void restore(PageStore ram, AtomicPageBitmap written, LongConsumer progress)
      throws IOException, InterruptedException {
    verify(pageCount == ram.pageCount(), "holds %d pages, the VM has %d", pageCount, ram.pageCount());
    End end = readEnd();
    Restoration restoration;
    try (ReadAhead ahead = ReadAhead.open(path); Workers workers = new Workers("restore")) {
      restoration = new Restoration(ram, written, end.blockOffsets, ahead, progress);
      workers.run(restoration::placeBlocks);
      workers.run(restoration::placeCopies);
    }
    verify(restoration.stored.sum() == end.stored && restoration.copied.sum() == end.copies,
        "holds %d pages and %d copies, its end says %d and %d", restoration.stored.sum(), restoration.copied.sum(),
        end.stored, end.copies);
    verify(restoration.digest.sum() == end.digest, "page digest=%016x expected=%016x", restoration.digest.sum(),
        end.digest);
  }

  private record End(long digest, long stored, long copies, long[] blockOffsets) {
  }

  private End readEnd() throws IOException {
    verify(fileBytes >= Layout.HEADER_BYTES + Layout.BLOCK_HEADER_BYTES + Layout.TRAILER_BYTES, "ends at %d bytes",
        fileBytes);
    long trailerAt = fileBytes - Layout.TRAILER_BYTES;
    ByteBuffer trailer = read(trailerAt, Layout.TRAILER_BYTES);
    verify(trailer.getInt(Layout.TRAILER_MAGIC_AT) == Layout.TRAILER_MAGIC
        && trailer.getInt(Layout.TRAILER_CHECKSUM_AT) == Layout.trailerChecksum(trailer),
        "has no end: it was not written to the last byte, or is damaged there");
    long at = trailer.getLong(0);
    verify(at >= Layout.HEADER_BYTES && at <= trailerAt - Layout.BLOCK_HEADER_BYTES - Layout.END_FIXED_BYTES,
        "names its end at %d of %d bytes", at, fileBytes);
    // At most two blocks a page: it is in one of them, and may be named in another.
    verify(trailerAt - at <= Layout.BLOCK_HEADER_BYTES + Layout.END_FIXED_BYTES + 2 * (pageCount + 8) * Long.BYTES,
        "has an end block of %d bytes for %d pages", trailerAt - at, pageCount);
    ByteBuffer block = read(at, Math.toIntExact(trailerAt - at));
    int tableBytes = block.capacity() - Layout.BLOCK_HEADER_BYTES;
    verify(block.getInt(0) == Layout.BLOCK_MAGIC && block.get(Layout.KIND_AT) == Layout.END
        && block.getInt(Layout.TABLE_BYTES_AT) == tableBytes && tableBytes % Long.BYTES == 0,
        "has no end block at %d", at);
    verifyChecksum(block, tableBytes, ByteBuffer.allocate(0), at);
    long[] offsets = new long[(tableBytes - Layout.END_FIXED_BYTES) / Long.BYTES];
    block.position(Layout.BLOCK_HEADER_BYTES + Layout.END_FIXED_BYTES).asLongBuffer().get(offsets);
    for (int i = 1; i < offsets.length; i++) {
      verify(offsets[i] > offsets[i - 1], "names its blocks out of order");
    }
    return new End(block.getLong(Layout.BLOCK_HEADER_BYTES), block.getLong(Layout.BLOCK_HEADER_BYTES + 8),
        block.getLong(Layout.BLOCK_HEADER_BYTES + 16), offsets);
  }

  private void verifyChecksum(ByteBuffer block, int tableBytes, ByteBuffer payload, long at)
      throws SavedStateException {
    int checksum = Layout.blockChecksum(block, tableBytes, payload);
    verify(block.getInt(Layout.BLOCK_CHECKSUM_AT) == checksum, "checksum of its block at %d is %08x, expected %08x", at,
        block.getInt(Layout.BLOCK_CHECKSUM_AT), checksum);
  }

  private ByteBuffer read(long at, int bytes) throws IOException {
    verify(at >= 0 && bytes <= fileBytes - at, "ends at %d, %d bytes short", fileBytes, at + bytes - fileBytes);
    ByteBuffer target = Layout.allocate(bytes);
    readFully(file, target, at);
    return target;
  }

  private void readFully(FileChannel file, ByteBuffer target, long at) throws IOException {
    for (long from = at; target.hasRemaining();) {
      int read = file.read(target, from);
      verify(read >= 0, "ends at %d, %d bytes short", from, target.remaining());
      from += read;
    }
    target.flip();
  }

  private void verify(boolean condition, String problem, Object... values) throws SavedStateException {
    if (!condition) {
      throw new SavedStateException("%s %s", path, problem.formatted(values));
    }
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  /** Everything in its place, by several threads. */
  private final class Restoration {
    private final PageStore ram;
    private final AtomicPageBitmap written;
    private final long[] offsets;
    private final ReadAhead ahead;
    private final LongConsumer progress;
    private final AtomicInteger next = new AtomicInteger();
    private final LongAdder digest = new LongAdder();
    private final LongAdder stored = new LongAdder();
    private final LongAdder copied = new LongAdder();
    private final ConcurrentLinkedQueue<Long> copyBlocks = new ConcurrentLinkedQueue<>();

    Restoration(PageStore ram, AtomicPageBitmap written, long[] offsets, ReadAhead ahead, LongConsumer progress) {
      this.ahead = ahead;
      this.ram = ram;
      this.written = written;
      this.offsets = offsets;
      this.progress = progress;
    }

    void placeBlocks(Workers workers) throws IOException {
      try (Unpacker unpacker = new Unpacker()) {
        // Stretches of neighbours, each worker with a descriptor of its own: so the kernel reads ahead for each of them.
        for (int first = next.getAndAdd(STRETCH); first < offsets.length; first = next.getAndAdd(STRETCH)) {
          for (int i = first; i < Math.min(offsets.length, first + STRETCH) && !workers.isEnding(); i++) {
            announce(i + ANNOUNCED);
            progress.accept(unpacker.place(offsets[i]));
          }
        }
      }
    }

    private void announce(int block) {
      if (block < offsets.length) {
        long end = block + 1 < offsets.length ? offsets[block + 1] : offsets[block] + Layout.MAX_RAW_BYTES;
        ahead.willNeed(offsets[block], end - offsets[block]);
      }
    }

    /** Once every page that is stored is in its place. */
    void placeCopies(Workers workers) throws IOException {
      try (Unpacker unpacker = new Unpacker()) {
        for (Long at = copyBlocks.poll(); at != null && !workers.isEnding(); at = copyBlocks.poll()) {
          unpacker.placeCopies(at);
        }
      }
    }

    private void placed(long page) {
      written.add(page);
      digest.add(Layout.digestOf(page, ram.hash(page)));
    }

    /** One worker's buffers. */
    private final class Unpacker implements AutoCloseable {
      private final FileChannel own = FileChannel.open(path, StandardOpenOption.READ);
      private final BlockCodec codec = new BlockCodec();
      private final ByteBuffer block = Layout.allocate(Layout.BLOCK_HEADER_BYTES + Layout.MAX_TABLE_BYTES);
      private final ByteBuffer payload = Layout.allocate(BlockCodec.maxStoredBytes(Layout.MAX_RAW_BYTES));
      private final ByteBuffer contents = Layout.allocate(Layout.MAX_RAW_BYTES);

      Unpacker() throws IOException {
        // The channel is opened above.
      }

      /** @return bytes of the block */
      long place(long at) throws IOException {
        readFully(own, block.clear().limit(Layout.BLOCK_HEADER_BYTES), within(at, Layout.BLOCK_HEADER_BYTES));
        int kind = block.get(Layout.KIND_AT);
        int tableBytes = block.getInt(Layout.TABLE_BYTES_AT);
        int storedBytes = block.getInt(Layout.STORED_BYTES_AT);
        int rawBytes = block.getInt(Layout.RAW_BYTES_AT);
        verify(block.getInt(0) == Layout.BLOCK_MAGIC && tableBytes > 0 && tableBytes <= Layout.MAX_TABLE_BYTES
            && storedBytes >= 0 && storedBytes <= payload.capacity() && rawBytes >= 0
            && rawBytes <= Layout.MAX_RAW_BYTES, "has no block at %d", at);
        block.limit(Layout.BLOCK_HEADER_BYTES + tableBytes).position(Layout.BLOCK_HEADER_BYTES);
        long tableAt = at + Layout.BLOCK_HEADER_BYTES;
        readTable(within(tableAt, tableBytes + storedBytes));
        switch (kind) {
          case Layout.PAGES -> placePages(at, tableAt + tableBytes, tableBytes, storedBytes, rawBytes);
          case Layout.COPIES -> {
            verify(storedBytes == 0 && tableBytes % Layout.COPY_BYTES == 0, "has a block of copies of %d bytes at %d",
                tableBytes, at);
            verifyChecksum(block, tableBytes, payload.clear().limit(0), at);
            long[] pairs = table(tableBytes, at);
            copyBlocks.add(at);
            copied.add(pairs.length / 2);
          }
          default -> throw new SavedStateException("%s has a block of kind %d at %d", path, kind, at);
        }
        return Layout.BLOCK_HEADER_BYTES + tableBytes + storedBytes;
      }

      /** A block of copies, which {@link #place} found right. */
      void placeCopies(long at) throws IOException {
        readFully(own, block.clear().limit(Layout.BLOCK_HEADER_BYTES), at);
        int tableBytes = block.getInt(Layout.TABLE_BYTES_AT);
        verify(tableBytes > 0 && tableBytes <= Layout.MAX_TABLE_BYTES, "changed while it was read");
        block.limit(Layout.BLOCK_HEADER_BYTES + tableBytes).position(Layout.BLOCK_HEADER_BYTES);
        readTable(at + Layout.BLOCK_HEADER_BYTES);
        verifyChecksum(block, tableBytes, payload.clear().limit(0), at);
        long[] pairs = table(tableBytes, at);
        for (int i = 0; i < pairs.length; i += 2) {
          ram.copyPage(pairs[i + 1], pairs[i]);
          placed(pairs[i]);
        }
      }

      @Override
      public void close() throws IOException {
        own.close();
      }

      private void readTable(long at) throws IOException {
        for (long from = at; block.hasRemaining();) {
          int read = own.read(block, from);
          verify(read >= 0, "ends at %d", from);
          from += read;
        }
      }

      private long within(long at, int bytes) throws SavedStateException {
        verify(at >= 0 && bytes <= fileBytes - at, "names a block at %d of %d bytes", at, fileBytes);
        return at;
      }

      private void placePages(long at, long payloadAt, int tableBytes, int storedBytes, int rawBytes)
          throws IOException {
        verify(tableBytes % Long.BYTES == 0 && tableBytes / Long.BYTES * PageSize.BYTES == rawBytes,
            "has a table of %d bytes for %d bytes of pages at %d", tableBytes, rawBytes, at);
        Codec packedBy = Codec.ofCode(block.get(Layout.CODEC_AT)).orElse(null);
        verify(packedBy != null && (packedBy != Codec.NONE || storedBytes == rawBytes),
            "has a block of codec %d with %d bytes at %d", block.get(Layout.CODEC_AT), storedBytes, at);
        long[] pages = table(tableBytes, at);
        boolean neighbours = isRun(pages);
        if (packedBy == null) {
          return;
        }
        ByteBuffer target = neighbours
            ? ram.window(pages[0], pages.length)
            : contents.clear().limit(rawBytes);
        if (packedBy == Codec.NONE) {
          readFully(own, target, payloadAt);
          verifyChecksum(block, tableBytes, target, at);
        } else {
          readFully(own, payload.clear().limit(storedBytes), payloadAt);
          verifyChecksum(block, tableBytes, payload, at);
          codec.decompress(packedBy, payload, target);
        }
        for (int i = 0; i < pages.length; i++) {
          if (!neighbours) {
            ram.copyIn(pages[i], contents, i * PageSize.BYTES);
          }
          placed(pages[i]);
        }
        stored.add(pages.length);
      }

      /** The page numbers of a block, all within the VM. */
      private long[] table(int tableBytes, long at) throws SavedStateException {
        long[] pages = new long[tableBytes / Long.BYTES];
        block.position(Layout.BLOCK_HEADER_BYTES);
        for (int i = 0; i < pages.length; i++) {
          pages[i] = block.getLong();
          verify(pages[i] >= 0 && pages[i] < pageCount, "names page %d of %d in its block at %d", pages[i], pageCount,
              at);
        }
        return pages;
      }

      private static boolean isRun(long[] pages) {
        for (int i = 1; i < pages.length; i++) {
          if (pages[i] != pages[0] + i) {
            return false;
          }
        }
        return true;
      }
    }
  }
}
