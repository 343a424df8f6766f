package dev.pageferry.agent.memory;

import java.util.Arrays;
import java.util.concurrent.atomic.LongAdder;

/**
 * The checksum of every page's copy that was last sent, or last received, with a digest of all of them that is kept up
 * to date as pages change. Two tables with the same digest hold, but for a chance of 2^-64, the same checksums.
 *
 * <p>A page belongs to one stream, so that one thread at a time sets it; different pages may be set concurrently.
 */
public final class ChecksumTable {
  private final int[] checksums;
  /** The sum over pages of mix(page, checksum) - mix(page, zero page): 0 for a table of zero pages. */
  private final LongAdder digest = new LongAdder();

  /** A table in which every page is the zero page. */
  public ChecksumTable(long pageCount) {
    checksums = new int[Math.toIntExact(pageCount)];
    Arrays.fill(checksums, PageChecksum.OF_ZERO_PAGE);
  }

  public int get(long page) {
    return checksums[(int) page];
  }

  public void set(long page, int checksum) {
    int index = (int) page;
    int before = checksums[index];
    if (before != checksum) {
      checksums[index] = checksum;
      digest.add(mix(page, checksum) - mix(page, before));
    }
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
