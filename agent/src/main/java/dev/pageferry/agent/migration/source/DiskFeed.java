package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.memory.ChecksumTable;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.memory.PageChecksum;
import dev.pageferry.agent.migration.PageFeed;
import dev.pageferry.agent.migration.source.MemoryFeed.Counts;
import dev.pageferry.agent.wire.PageFrame;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * The blocks of disks of one round that travel on one stream. A thread of its own reads them ahead, because a disk may take
 * its time and a stream's thread serves other streams too; how far ahead is bounded by the mirror's buffers.
 */
final class DiskFeed implements PageFeed {
  private static final ByteBuffer ZERO_BLOCK = ByteBuffer.allocateDirect(PageSize.BYTES).asReadOnlyBuffer();
  /** Sent at once, though a frame has room for more: a disk of zeros would be silent for long. */
  private static final int MANY_ZERO_RANGES = 64;
  /** Until the reader has something. */
  private static final long POLL_NANOS = 100_000;

  /** Neighbouring blocks of one disk, as they were read; without a buffer it stands for the end. */
  private record Stretch(long firstPage, int pages, @Nullable ByteBuffer contents) {
    private static final Stretch END = new Stretch(0, 0, null);
  }

  private final int round;
  private final int stream;
  private final int streams;
  private final PageBitmap pages;
  private final long firstDiskPage;
  private final DiskMirror mirror;
  private final ChecksumTable checksums;
  private final RateLimiter limiter;
  private final PageChecksum checksum = new PageChecksum();
  private final BlockingQueue<Stretch> read = new LinkedBlockingQueue<>();
  private boolean started;

  private @Nullable Stretch current;
  /** The next block of the current stretch. */
  private int next;
  private final ZeroRanges zeros;
  private long waitNanos;
  private long pagesSent;
  private volatile Counts counts = new Counts(0, 0, 0);

  DiskFeed(Round round, int stream, int streams, DiskMirror mirror, ChecksumTable checksums, RateLimiter limiter) {
    this.round = round.number();
    this.stream = stream;
    this.streams = streams;
    this.pages = round.pages();
    this.mirror = mirror;
    this.firstDiskPage = mirror.firstPage();
    this.checksums = checksums;
    this.zeros = new ZeroRanges(MANY_ZERO_RANGES, checksums);
    this.limiter = limiter;
  }

  @Override
  public Result fill(PageFrame frame) {
    if (!started && pages.next(firstDiskPage, pages.pageCount()) < 0) {
      return Result.END;
    }
    startReading();
    waitNanos = limiter.waitNanos();
    while (waitNanos == 0) {
      Stretch stretch = current != null ? current : read.poll();
      current = stretch;
      if (stretch == null) {
        mirror.checkReadable();
        waitNanos = POLL_NANOS;
      } else if (stretch.contents() == null) {
        return zeros.isEmpty() ? Result.END : sendZeros(frame);
      } else if (zeros.isFull()) {
        return sendZeros(frame);
      } else if (fillFrom(stretch, stretch.contents(), frame)) {
        return filled(frame);
      }
    }
    return Result.WAIT;
  }

  private void startReading() {
    if (!started) {
      started = true;
      Thread.ofPlatform().daemon().name("disk-reader-" + stream).start(this::readAhead);
    }
  }

  /** @return false if the stretch was at its end */
  private boolean fillFrom(Stretch stretch, ByteBuffer contents, PageFrame frame) {
    while (next < stretch.pages() && isZero(contents, next) && !zeros.isFull()) {
      zeros.add(stretch.firstPage() + next++);
    }
    int run = 0;
    while (next + run < stretch.pages() && !isZero(contents, next + run)) {
      run++;
    }
    if (run > 0) {
      fillRun(frame, stretch.firstPage() + next, run, contents);
      next += run;
      return true;
    }
    if (next == stretch.pages()) {
      mirror.giveBack(contents);
      current = null;
      next = 0;
    }
    return false;
  }

  private static boolean isZero(ByteBuffer contents, int block) {
    return contents.slice(block * PageSize.BYTES, PageSize.BYTES).mismatch(ZERO_BLOCK.duplicate()) < 0;
  }

  private Result sendZeros(PageFrame frame) {
    zeros.moveTo(frame, round);
    return filled(frame);
  }

  private void fillRun(PageFrame frame, long first, int run, ByteBuffer contents) {
    frame.startRun(round, first, run);
    frame.buffer().put(frame.pageOffset(0), contents, next * PageSize.BYTES, run * PageSize.BYTES);
    for (int i = 0; i < run; i++) {
      int sum = checksum.of(frame.buffer(), frame.pageOffset(i));
      frame.setChecksum(i, sum);
      checksums.set(first + i, sum);
    }
    pagesSent += run;
  }

  private Result filled(PageFrame frame) {
    limiter.spend(frame.bytes());
    counts = new Counts(pagesSent, zeros.pages(), 0);
    return Result.FILLED;
  }

  @Override
  public long waitNanos() {
    return waitNanos;
  }

  Counts counts() {
    return counts;
  }

  /** The reader's thread. */
  private void readAhead() {
    try {
      long block = firstDiskPage / PageFrame.BLOCK_PAGES;
      block += Math.floorMod(stream - block, (long) streams);
      for (; block * PageFrame.BLOCK_PAGES < pages.pageCount(); block += streams) {
        readBlock(block * PageFrame.BLOCK_PAGES,
            Math.min(pages.pageCount(), (block + 1) * PageFrame.BLOCK_PAGES));
      }
      read.add(Stretch.END);
    } catch (IOException e) {
      // The stream breaks when it asks for more; the migration's thread finds the reason at the mirror.
      mirror.failed(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException | Error e) {
      mirror.failed(new IOException("a disk's reader failed: " + e, e));
    }
  }

  private void readBlock(long from, long end) throws IOException, InterruptedException {
    for (long page = pages.next(from, end); page >= 0; page = pages.next(page, end)) {
      int run = 1;
      while (run < PageFrame.MAX_PAGES && page + run < end && pages.contains(page + run)) {
        run++;
      }
      checksums.prepare(page, page + run);
      ByteBuffer contents = mirror.takeBuffer();
      mirror.read(page, contents.clear().limit(run * PageSize.BYTES));
      read.add(new Stretch(page, run, contents));
      page += run;
    }
  }
}
