package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.memory.ChecksumTable;
import dev.pageferry.agent.memory.PageChecksum;
import dev.pageferry.agent.wire.PageFrame;

/** Pages found to be zero and not told yet, neighbours in one range; a range stays within a block of 256 pages. */
final class ZeroRanges {
  private final long[] firsts;
  private final long[] lengths;
  private final ChecksumTable checksums;
  private int count;
  private long pages;

  /** @param most ranges that are told in one frame */
  ZeroRanges(int most, ChecksumTable checksums) {
    this.firsts = new long[most];
    this.lengths = new long[most];
    this.checksums = checksums;
  }

  boolean isEmpty() {
    return count == 0;
  }

  boolean isFull() {
    return count == firsts.length;
  }

  void add(long page) {
    int last = count - 1;
    if (last >= 0 && firsts[last] + lengths[last] == page && page % PageFrame.BLOCK_PAGES != 0) {
      lengths[last]++;
    } else {
      firsts[count] = page;
      lengths[count] = 1;
      count++;
    }
    checksums.set(page, PageChecksum.OF_ZERO_PAGE);
    pages++;
  }

  /** Fills a frame with all of them. */
  void moveTo(PageFrame frame, int round) {
    frame.startZeroRanges(round, firsts, lengths, count);
    count = 0;
  }

  /** All pages that were added so far. */
  long pages() {
    return pages;
  }
}
