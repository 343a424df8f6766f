package dev.pageferry.agent.guest;

import dev.pageferry.agent.memory.DirtyLog;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.migration.MigrationLimits;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The pages of a machine that goes over its memory by itself, pass after pass, and says what it finds. The numbers are kept, not
 * the contents: what is pushed again before it was harvested is sent once. Whoever pushes waits while more is kept than the network
 * takes, so that a machine does not go round and round for nothing.
 *
 * <p>The machine's side is used by one thread of its own, in the order of what it found; a page is pushed after the store, and
 * pushed again after each later store.
 */
public final class PushedPages implements PageSource {
  /** Rounds that a pass over all of RAM is made of; a migration has {@link MigrationLimits#MAX_ROUNDS} at most. */
  private static final int ROUNDS_OF_ALL = 8;
  /** Fewer pages are not worth a round: 1 MiB. */
  private static final long LEAST_WORTHWHILE = 256;
  /** How long a harvest waits for more, before it lets its caller see whether the migration goes on. */
  private static final Duration LONGEST_WAIT = Duration.ofMillis(100);

  private final DirtyLog log;
  private final long worthwhile;
  private final Signal moved;
  private final Runnable onClose;
  /** Counts repeats, too. */
  private final AtomicLong kept = new AtomicLong();
  private final AtomicReference<@Nullable IOException> failure = new AtomicReference<>();
  private volatile long waiting;
  private volatile double rate = Double.POSITIVE_INFINITY;
  private volatile long passesOver;
  private volatile boolean restPushed;
  private volatile boolean closed;
  /** Of these the harvester knows. */
  private long passesHarvested;

  /**
   * Nothing is pushed yet, and all of RAM waits.
   *
   * @param onClose tells the machine to push no more
   */
  public PushedPages(long pageCount, Scheduler scheduler, Runnable onClose) {
    this.log = new DirtyLog(pageCount, 0);
    this.worthwhile = Math.max(LEAST_WORTHWHILE, pageCount / ROUNDS_OF_ALL);
    this.moved = scheduler.newSignal();
    this.onClose = onClose;
    this.waiting = pageCount;
  }

  /**
   * The machine's: neighbouring pages are to be sent. Waits while too many are kept.
   *
   * @return false if the migration is over, and nothing more is wanted
   */
  @SuppressWarnings("NonAtomicOperationOnVolatileField") // one thread pushes
  public boolean push(long first, long pages) throws InterruptedException {
    moved.await(() -> kept.get() < 2 * worthwhile || closed);
    if (closed) {
      return false;
    }
    log.devices().mark(first, first + pages - 1);
    waiting = Math.max(0, waiting - pages);
    if (kept.addAndGet(pages) >= worthwhile) {
      moved.raise();
    }
    return true;
  }

  /**
   * The machine's: how much it still has to push, as far as it knows.
   *
   * @param pages not pushed yet
   * @param pagesPerSecond how fast it finds and pushes them
   */
  public void figures(long pages, double pagesPerSecond) {
    waiting = pages;
    rate = pagesPerSecond;
  }

  /**
   * The machine's: all that had been written when the pass began was pushed; {@link #figures} are those of the next. A pass that
   * found nothing is one, too: where a guest writes nothing the machine says so now and then, since somebody may wait for it.
   */
  @SuppressWarnings("NonAtomicOperationOnVolatileField") // one thread pushes
  public void passOver() {
    passesOver++;
    moved.raise();
  }

  /** The machine's: the guest is paused, and everything was pushed. */
  public void restPushed() {
    waiting = 0;
    restPushed = true;
    moved.raise();
  }

  /** The machine's: the guest runs again, and is not all sent any more. Before its first store. */
  public void runsAgain() {
    restPushed = false;
  }

  /** The machine's: no more can be pushed. */
  public void failed(IOException cause) {
    failure.compareAndSet(null, cause);
    moved.raise();
  }

  @Override
  public void begin(PageBitmap into) {
    // All of it comes by the first pass.
  }

  @Override
  public boolean harvest(PageBitmap into) throws IOException, InterruptedException {
    boolean isWorthwhile = moved.await(
        () -> kept.get() >= worthwhile || passesOver > passesHarvested || restPushed || isOver(), LONGEST_WAIT);
    if (!isWorthwhile) {
      return false;
    }
    // Looked at ahead of the pages: those of a pass that is over are among them.
    long passes = passesOver;
    // A guest that was paused before its migration writes nothing: all that there is was pushed, now and for good.
    boolean all = restPushed;
    take(into);
    boolean isOver = all || passes > passesHarvested;
    passesHarvested = passes;
    return isOver;
  }

  @Override
  public boolean harvestRest(PageBitmap into) throws IOException, InterruptedException {
    boolean _ = moved.await(() -> kept.get() >= worthwhile || restPushed || isOver(), LONGEST_WAIT);
    boolean all = restPushed;
    take(into);
    return all;
  }

  private boolean isOver() {
    return closed || failure.get() != null;
  }

  private void take(PageBitmap into) throws IOException {
    IOException cause = failure.get();
    if (cause != null) {
      throw new IOException(cause.getMessage(), cause);
    }
    // Ahead of the marks: what is pushed in between counts for the next harvest, too, which may then find less than was counted.
    kept.set(0);
    log.harvest(into);
    moved.raise();
  }

  @Override
  public boolean seemsDirty(long page) {
    return log.seemsDirty(page);
  }

  @Override
  public long waitingPages() {
    return waiting + kept.get();
  }

  @Override
  public double pagesPerSecond() {
    return rate;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      moved.raise();
      onClose.run();
    }
  }
}
