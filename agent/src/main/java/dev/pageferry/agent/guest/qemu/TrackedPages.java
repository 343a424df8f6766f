package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.guest.PageSource;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.os.WrittenPages;
import java.io.IOException;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The pages of a machine as the kernel tells them: each harvest takes all that was written, and is a pass. It does not matter to the
 * kernel whether the machine was paused meanwhile: one that runs again goes on where it was.
 */
final class TrackedPages implements PageSource {
  private static final Logger log = LoggerFactory.getLogger(TrackedPages.class);

  /** Before the caller sees whether the migration goes on. */
  private static final Duration LONGEST_WAIT = Duration.ofMillis(100);

  private final WrittenPages written;
  private final long pageCount;
  private final PassCondition mayCount;
  private final Runnable onClose;
  /** So that what the guest has written counts for no pass. */
  private boolean hasWaited;
  private boolean closed;

  /** What a harvest waits for that is to be a pass. */
  interface PassCondition {
    /** @return whether it is met within that time */
    boolean await(Duration atMost) throws InterruptedException;
  }

  /**
   * Tracks nothing yet.
   *
   * @param written closed with this
   * @param pageCount of RAM
   */
  TrackedPages(WrittenPages written, long pageCount, PassCondition mayCount, Runnable onClose) {
    this.written = written;
    this.pageCount = pageCount;
    this.mayCount = mayCount;
    this.onClose = onClose;
  }

  @Override
  public void begin(PageBitmap into) throws IOException {
    // Ahead of the pages: what is written from here on is told beside them.
    written.protect();
    addRun(into, 0, pageCount);
  }

  private static void addRun(PageBitmap into, long first, long count) {
    for (long page = first; page < first + count; page++) {
      into.add(page);
    }
  }

  @Override
  public boolean harvest(PageBitmap into) throws IOException, InterruptedException {
    // What a guest writes before it is held back says nothing of what it writes then: a pass begins behind that. And behind the last
    // pass the guest is paused: what can go ahead of its state goes before.
    boolean isPass = mayCount.await(Duration.ZERO) && !hasWaited;
    hasWaited = !mayCount.await(LONGEST_WAIT);
    if (hasWaited) {
      return false;
    }
    boolean _ = harvestRest(into);
    return isPass;
  }

  @Override
  public boolean harvestRest(PageBitmap into) throws IOException {
    written.harvest((first, count) -> addRun(into, first, count));
    return true;
  }

  @Override
  public boolean seemsDirty(long page) {
    // To ask the kernel for one page costs more than to send it.
    return false;
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      written.close();
    } catch (IOException e) {
      log.warn("writes of a machine are still being tracked: {}", e.getMessage());
    }
    onClose.run();
  }
}
