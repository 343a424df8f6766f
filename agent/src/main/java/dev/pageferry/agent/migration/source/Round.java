package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.PageSource;
import dev.pageferry.agent.memory.ChecksumTable;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.migration.PageFeed;
import java.util.List;
import java.util.Optional;
import java.util.function.ToLongFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * One pass over a set of pages, split over the streams.
 *
 * <p>Pages that are skipped because they seem to be dirty again go into {@link #skipped()}: what the guest's pages' source says of
 * that is a hint, this set is the record.
 */
final class Round {
  private final int number;
  private final PageBitmap pages;
  private final boolean guestRuns;
  private final PageBitmap skipped;
  private final List<MemoryFeed> memory;
  /** None where disks are not copied. */
  private final List<DiskFeed> disks;

  /**
   * @param guestRuns whether pages may be skipped; the last round skips nothing
   */
  Round(int number, PageBitmap pages, boolean guestRuns, PageStore ram, PageSource source,
      Optional<DiskMirror> mirror, ChecksumTable checksums, RateLimiter limiter, int streams) {
    this.number = number;
    this.pages = pages;
    this.guestRuns = guestRuns;
    this.skipped = new PageBitmap(ram.pageCount());
    this.memory = IntStream.range(0, streams)
        .mapToObj(stream -> new MemoryFeed(this, stream, streams, ram, source, checksums, limiter)).toList();
    this.disks = mirror.isEmpty()
        ? List.of()
        : IntStream.range(0, streams)
            .mapToObj(stream -> new DiskFeed(this, stream, streams, mirror.get(), checksums, limiter)).toList();
  }

  int number() {
    return number;
  }

  /** Whether blocks of disks may be among its pages. */
  boolean hasDisks() {
    return !disks.isEmpty();
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

  /** Pages of RAM skipped; complete once the round has been written. */
  PageBitmap skipped() {
    return skipped;
  }

  /** One for each stream. */
  List<PageFeed> feeds() {
    return disks.isEmpty()
        ? List.copyOf(memory)
        : IntStream.range(0, memory.size())
            .<PageFeed>mapToObj(stream -> new FeedSequence(memory.get(stream), disks.get(stream))).toList();
  }

  long pagesSent() {
    return sum(MemoryFeed.Counts::sent);
  }

  long zeroPages() {
    return sum(MemoryFeed.Counts::zero);
  }

  long skippedPages() {
    return sum(MemoryFeed.Counts::skipped);
  }

  /** Of these, blocks of disks. */
  long diskBlocksSent() {
    return disks.stream().mapToLong(each -> each.counts().sent()).sum();
  }

  private long sum(ToLongFunction<MemoryFeed.Counts> part) {
    return Stream.concat(memory.stream().map(MemoryFeed::counts), disks.stream().map(DiskFeed::counts))
        .mapToLong(part).sum();
  }

  /** Pages dealt with so far, whatever became of them. */
  long pagesDone() {
    return pagesSent() + zeroPages() + skippedPages();
  }
}
