package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.PageSource;
import dev.pageferry.agent.memory.ChecksumTable;
import dev.pageferry.agent.memory.PageChecksum;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.migration.PageFeed;
import dev.pageferry.agent.wire.PageFrame;
import java.nio.ByteBuffer;

/**
 * The pages of one round that travel on one stream, frame by frame.
 *
 * <p>A page is copied out of guest memory once, and its checksum taken of that copy, never of guest memory: the guest
 * may write between two reads, and then the bytes sent would not be those summed. The copy is 256 KiB at most, so that
 * checksum and socket read it from the core's cache.
 */
final class MemoryFeed implements PageFeed {
  /** Shorter runs of neighbours travel in a batch. */
  private static final int SHORTEST_RUN = 8;

  private final Round round;
  private final int stream;
  private final int streams;
  private final PageStore ram;
  private final PageSource source;
  private final ChecksumTable checksums;
  private final RateLimiter limiter;
  private final PageChecksum checksum = new PageChecksum();

  /** The next page to look at. */
  private long cursor;
  private final long[] batch = new long[PageFrame.MAX_PAGES];
  private int batched;
  private final ZeroRanges zeros;
  private long waitNanos;

  private long pagesSent;
  private long skippedPages;
  /** What the migration's thread sees of the counts: as of the last frame. */
  private volatile Counts counts = new Counts(0, 0, 0);

  /** Pages by what became of them. */
  record Counts(long sent, long zero, long skipped) {
  }

  MemoryFeed(Round round, int stream, int streams, PageStore ram, PageSource source,
      ChecksumTable checksums, RateLimiter limiter) {
    this.round = round;
    this.stream = stream;
    this.streams = streams;
    this.ram = ram;
    this.source = source;
    this.checksums = checksums;
    this.zeros = new ZeroRanges(PageFrame.MAX_RANGES, checksums);
    this.limiter = limiter;
    this.cursor = (long) stream * PageFrame.BLOCK_PAGES;
  }

  @Override
  public Result fill(PageFrame frame) {
    waitNanos = limiter.waitNanos();
    if (waitNanos > 0) {
      return Result.WAIT;
    }
    // A run that is too short for a frame of its own always fits what is left of the batch.
    while (batched + SHORTEST_RUN <= PageFrame.MAX_PAGES && !zeros.isFull()) {
      long page = nextPage();
      if (page < 0) {
        break;
      }
      if (take(page)) {
        int run = extendRun(page);
        if (run >= SHORTEST_RUN) {
          fillRun(frame, page, run);
          return filled(frame);
        }
        for (int i = 0; i < run; i++) {
          batch[batched++] = page + i;
        }
      }
    }
    if (batched > 0) {
      fillBatch(frame);
      return filled(frame);
    }
    if (!zeros.isEmpty()) {
      zeros.moveTo(frame, round.number());
      return filled(frame);
    }
    counts = new Counts(pagesSent, zeros.pages(), skippedPages);
    return Result.END;
  }

  @Override
  public long waitNanos() {
    return waitNanos;
  }

  private Result filled(PageFrame frame) {
    limiter.spend(frame.bytes());
    counts = new Counts(pagesSent, zeros.pages(), skippedPages);
    return Result.FILLED;
  }

  /** The next page of the round on this stream, at or after the cursor; -1 at the end. */
  private long nextPage() {
    long pageCount = ram.pageCount();
    while (cursor < pageCount) {
      long page = round.pages().next(cursor, Math.min(pageCount, blockEnd()));
      if (page >= 0) {
        cursor = page;
        return page;
      }
      cursor = blockEnd() + (long) (streams - 1) * PageFrame.BLOCK_PAGES;
    }
    return -1;
  }

  private long blockEnd() {
    return (cursor / PageFrame.BLOCK_PAGES + 1) * PageFrame.BLOCK_PAGES;
  }

  /** Moves the cursor past the page; true if its contents are to be sent. */
  private boolean take(long page) {
    // Past the last page of a block the cursor belongs to another stream's block.
    cursor = (page + 1) % PageFrame.BLOCK_PAGES != 0
        ? page + 1
        : page + 1 + (long) (streams - 1) * PageFrame.BLOCK_PAGES;
    if (round.maySkip() && source.seemsDirty(page)) {
      round.skip(page);
      skippedPages++;
      return false;
    }
    if (ram.isZero(page)) {
      zeros.add(page);
      return false;
    }
    return true;
  }

  /** How many neighbours from the given page on are to be sent with it, itself included. */
  private int extendRun(long first) {
    int run = 1;
    while (run < PageFrame.MAX_PAGES && !zeros.isFull()) {
      long page = first + run;
      if (page % PageFrame.BLOCK_PAGES == 0 || page >= ram.pageCount() || !round.pages().contains(page)
          || !take(page)) {
        break;
      }
      run++;
    }
    return run;
  }

  private void fillRun(PageFrame frame, long first, int run) {
    frame.startRun(round.number(), first, run);
    ByteBuffer buffer = frame.buffer();
    ram.copyOut(first, run, buffer, frame.pageOffset(0));
    for (int i = 0; i < run; i++) {
      seal(frame, i, first + i);
    }
  }

  private void fillBatch(PageFrame frame) {
    frame.startBatch(round.number(), batch, batched);
    for (int i = 0; i < batched; i++) {
      ram.copyOut(batch[i], 1, frame.buffer(), frame.pageOffset(i));
      seal(frame, i, batch[i]);
    }
    batched = 0;
  }

  private void seal(PageFrame frame, int index, long page) {
    int sum = checksum.of(frame.buffer(), frame.pageOffset(index));
    frame.setChecksum(index, sum);
    checksums.set(page, sum);
    pagesSent++;
  }

  Counts counts() {
    return counts;
  }
}
