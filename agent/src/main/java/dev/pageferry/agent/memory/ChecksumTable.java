package dev.pageferry.agent.memory;

import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * The checksum of every page's copy that was last sent, or last received, with a digest of all of them that is kept up
 * to date as pages change. Two tables with the same digest hold, but for a chance of 2^-64, the same checksums.
 *
 * <p>A page belongs to one stream, so that one thread at a time sets it; different pages may be set concurrently.
 */
public final class ChecksumTable {
  /** Pages in a chunk: a multiple of what one stream has of neighbours, and 256 KiB. */
  private static final int CHUNK_PAGES = 1 << 16;

  private final long pageCount;
  /** A chunk comes into being with its first page that is not zero, or is prepared: a disk may be large and nearly empty. */
  private final AtomicReferenceArray<int @Nullable []> chunks;
  /** The sum over pages of mix(page, checksum) - mix(page, zero page): 0 for a table of zero pages. */
  private final LongAdder digest = new LongAdder();

  /** A table in which every page is the zero page. */
  public ChecksumTable(long pageCount) {
    this.pageCount = pageCount;
    chunks = new AtomicReferenceArray<>(Math.toIntExact(Math.ceilDiv(pageCount, (long) CHUNK_PAGES)));
  }

  public long pageCount() {
    return pageCount;
  }

  /** Makes room for the pages [first, end), so that no memory is needed when they are set. */
  public void prepare(long first, long end) {
    for (long chunk = first / CHUNK_PAGES; chunk * CHUNK_PAGES < end; chunk++) {
      if (chunks.get((int) chunk) == null) {
        int[] _ = newChunk((int) chunk);
      }
    }
  }

  public int get(long page) {
    int[] chunk = chunks.get((int) (Objects.checkIndex(page, pageCount) / CHUNK_PAGES));
    return chunk == null ? PageChecksum.OF_ZERO_PAGE : chunk[(int) (page % CHUNK_PAGES)];
  }

  public void set(long page, int checksum) {
    int[] chunk = chunks.get((int) (Objects.checkIndex(page, pageCount) / CHUNK_PAGES));
    if (chunk == null) {
      if (checksum == PageChecksum.OF_ZERO_PAGE) {
        return;
      }
      chunk = newChunk((int) (page / CHUNK_PAGES));
    }
    int index = (int) (page % CHUNK_PAGES);
    int before = chunk[index];
    if (before != checksum) {
      chunk[index] = checksum;
      digest.add(mix(page, checksum) - mix(page, before));
    }
  }

  private int[] newChunk(int number) {
    int[] made = new int[CHUNK_PAGES];
    Arrays.fill(made, PageChecksum.OF_ZERO_PAGE);
    int[] other = chunks.compareAndExchange(number, null, made);
    return other == null ? made : other;
  }

  /** The digest of all pages. Meaningful once all threads that set pages are done. */
  public long digest() {
    return digest.sum();
  }

  /** A bijection of (page, checksum) that spreads every bit over all 64 (SplitMix64's finalizer). */
  private static long mix(long page, int checksum) {
    long z = (page << 32 ^ Integer.toUnsignedLong(checksum)) + 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
