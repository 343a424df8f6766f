package dev.pageferry.agent.memory;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * One page that a device writes, its log, and a migration that copies the page once; see {@link StressedPage}. The page
 * starts marked.
 */
final class StressedDevice {
  private static final long PAGE_COUNT = 64;
  private static final long PAGE = 3;
  private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);

  private final DeviceDirtyLog log = new DeviceDirtyLog(PAGE_COUNT);
  private final AtomicPageBitmap everWritten = new AtomicPageBitmap(PAGE_COUNT);
  /** What a log that looks before it marks would have: one word of marks. */
  private final long[] lookedAt = new long[1];
  private final PageBitmap harvested = new PageBitmap(PAGE_COUNT);
  private final StressedPage meeting = StressedPage.withRealLog();
  /** The page's contents: two words, so that a copy can be torn. */
  private long first;
  private long second;
  private long firstCopied;
  private long secondCopied;

  StressedDevice() {
    storeThenMark(1);
    storeThenMarkWhereUnmarked(1);
  }

  void meetMigration() {
    meeting.meetMigration();
  }

  void meetDevice() {
    meeting.meetVcpu();
  }

  void storeThenMark(long value) {
    store(value);
    log.mark(PAGE, PAGE);
  }

  void markThenStore(long value) {
    log.mark(PAGE, PAGE);
    StressedPage.work();
    store(value);
  }

  /** The mistake: the mark is left out where it seems to be there. */
  void storeThenMarkWhereUnmarked(long value) {
    store(value);
    if ((lookedAt[0] & 1L << PAGE) == 0) {
      var unused = (long) WORD.getAndBitwiseOr(lookedAt, 0, 1L << PAGE);
    }
  }

  private void store(long value) {
    first = value;
    second = value;
  }

  void harvestThenCopy() {
    log.collect(harvested, everWritten);
    copy();
  }

  void harvestLookedAtThenCopy() {
    harvested.orWord(0, (long) WORD.getAndSet(lookedAt, 0, 0L));
    copy();
  }

  private void copy() {
    firstCopied = first;
    secondCopied = second;
  }

  /** Harvests once more, when all is quiet. */
  String verdict() {
    PageBitmap next = new PageBitmap(PAGE_COUNT);
    log.collect(next, everWritten);
    return verdict(next.contains(PAGE));
  }

  String verdictOfLookedAt() {
    return verdict((lookedAt[0] & 1L << PAGE) != 0);
  }

  private String verdict(boolean markedAgain) {
    if (firstCopied == first && secondCopied == second) {
      return StressedPage.FRESH;
    }
    return markedAgain ? StressedPage.SENT_AGAIN : StressedPage.LOST;
  }
}
