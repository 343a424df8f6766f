package dev.pageferry.agent.memory;

import java.util.concurrent.ThreadLocalRandom;

/**
 * One page of a running guest, its vCPU's log, and a migration that copies it once. A stress test's actors call the
 * vCPU's and the migration's methods from a thread each; its arbiter asks for the {@link #verdict()}.
 *
 * <p>The page starts marked, because a vCPU that finds its page marked already is the one that could go wrong.
 */
final class StressedPage {
  /** The copy has the vCPU's last write. */
  static final String FRESH = "fresh";
  /** The copy has not, but the next harvest sends the page again. */
  static final String SENT_AGAIN = "sent again";
  /** The destination never gets the vCPU's last write. */
  static final String LOST = "lost";

  private static final long PAGE_COUNT = 64;
  private static final int SPINS = 12;
  /** Long enough to meet a thread that has a processor, short enough to go on where there is none for it. */
  private static final int PATIENCE = 200;
  private static final int MAX_JITTER = 64;

  final StressedLog log;
  private final long page;
  /** The page's contents: two words, so that a copy can be torn. */
  private long first;
  private long second;
  private long firstCopied;
  private long secondCopied;
  private final PageBitmap harvested = new PageBitmap(PAGE_COUNT);
  private volatile boolean vcpuHere;
  private volatile boolean migrationHere;
  private final int jitter = ThreadLocalRandom.current().nextInt(MAX_JITTER);

  StressedPage(StressedLog log, long page) {
    this.log = log;
    this.page = page;
    log.unpark();
    markThenStore(log.words(), 1);
    log.park();
  }

  static StressedPage withRealLog() {
    return new StressedPage(StressedLog.of(new VcpuDirtyLog(PAGE_COUNT)), 3);
  }

  static StressedPage withoutHandshake() {
    return new StressedPage(new BrokenLogs.WithoutHandshake(PAGE_COUNT), 3);
  }

  static StressedPage withoutParkingLock() {
    return new StressedPage(new BrokenLogs.WithoutParkingLock(PAGE_COUNT), 3);
  }

  /** Waits a moment for the migration, so that the two run at the same time, by turns the one first and the other. */
  void meetMigration() {
    vcpuHere = true;
    for (int i = 0; i < PATIENCE && !migrationHere; i++) {
      Thread.onSpinWait();
    }
    for (int i = 0; i < jitter && vcpuHere; i++) {
      // Reads of a volatile field, each a nanosecond or less.
    }
  }

  void meetVcpu() {
    migrationHere = true;
    for (int i = 0; i < PATIENCE && !vcpuHere; i++) {
      Thread.onSpinWait();
    }
    for (int i = jitter; i < MAX_JITTER && migrationHere; i++) {
      // As above.
    }
  }

  void markThenStore(long[] words, long value) {
    VcpuDirtyLog.mark(words, page);
    store(value);
  }

  /** As {@link #markThenStore}, with a program's other work in between. */
  void markThenStoreSlowly(long[] words, long value) {
    VcpuDirtyLog.mark(words, page);
    work();
    store(value);
  }

  void storeThenMark(long[] words, long value) {
    store(value);
    VcpuDirtyLog.mark(words, page);
  }

  void storeThenMarkSlowly(long[] words, long value) {
    store(value);
    work();
    VcpuDirtyLog.mark(words, page);
  }

  void store(long value) {
    first = value;
    second = value;
  }

  /** What a step does beside its store: gives the migration time to come in between. */
  static void work() {
    for (int i = 0; i < SPINS; i++) {
      Thread.onSpinWait();
    }
  }

  void harvestThenCopy() {
    log.request();
    // A migration asks the other vCPUs meanwhile.
    work();
    log.collect(harvested);
    copy();
  }

  /** As {@link #harvestThenCopy()}, without a pause: for races of a few nanoseconds. */
  void harvestThenCopyAtOnce() {
    log.request();
    log.collect(harvested);
    copy();
  }

  void copy() {
    firstCopied = first;
    secondCopied = second;
  }

  void collect() {
    log.collect(harvested);
  }

  /** Harvests once more, when all is quiet. */
  String verdict() {
    PageBitmap next = new PageBitmap(PAGE_COUNT);
    log.request();
    log.collect(next);
    if (firstCopied == first && secondCopied == second) {
      return FRESH;
    }
    return next.contains(page) ? SENT_AGAIN : LOST;
  }

  /** The worse of two pages' verdicts. */
  static String worse(String one, String other) {
    if (one.equals(LOST) || other.equals(LOST)) {
      return LOST;
    }
    return one.equals(SENT_AGAIN) ? one : other;
  }
}
