package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.memory.ChecksumTable;
import dev.pageferry.agent.memory.PageBitmap;
import java.util.List;
import java.util.stream.IntStream;

/**
 * One pass over a set of pages, split over the streams.
 *
 * <p>Pages that are skipped because the guest's live log says that they are dirty again go into {@link #skipped()}: that
 * log is a hint, this set is the record.
 */
final class Round {
  private final int number;
  private final PageBitmap pages;
  private final boolean guestRuns;
  private final PageBitmap skipped;
  private final List<RoundFeed> feeds;

  /**
   * @param guestRuns whether pages may be skipped; the last round skips nothing
   */
  Round(int number, PageBitmap pages, boolean guestRuns, Guest guest, ChecksumTable checksums, RateLimiter limiter,
      int streams) {
    this.number = number;
    this.pages = pages;
    this.guestRuns = guestRuns;
    this.skipped = new PageBitmap(pages.pageCount());
    this.feeds = IntStream.range(0, streams)
        .mapToObj(stream -> new RoundFeed(this, stream, streams, guest, checksums, limiter)).toList();
  }

  int number() {
    return number;
  }

  PageBitmap pages() {
    return pages;
  }

  boolean maySkip() {
    return guestRuns;
  }

  /**
   * Puts a page off to the next round. Streams never share a word of this set: a stream's pages come in blocks of 256.
   */
  void skip(long page) {
    skipped.add(page);
  }

  /** Pages skipped; complete once the round has been written. */
  PageBitmap skipped() {
    return skipped;
  }

  List<RoundFeed> feeds() {
    return feeds;
  }

  long pagesSent() {
    return feeds.stream().mapToLong(each -> each.counts().sent()).sum();
  }

  long zeroPages() {
    return feeds.stream().mapToLong(each -> each.counts().zero()).sum();
  }

  long skippedPages() {
    return feeds.stream().mapToLong(each -> each.counts().skipped()).sum();
  }

  /** Pages dealt with so far, whatever became of them. */
  long pagesDone() {
    return pagesSent() + zeroPages() + skippedPages();
  }
}
