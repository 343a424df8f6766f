package dev.pageferry.agent.memory;

import java.util.Arrays;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The pages that one vCPU has written since the last harvest, without a fence on any store.
 *
 * <p><b>Why no write is lost.</b> The vCPU marks a page in {@link #words()} and stores to it, both with plain
 * instructions, in either order, and never polls between the two. The harvester takes the marks only when the vCPU
 * stands at a step boundary: either the vCPU hands them over itself ({@link #poll}) or it is parked. Both happen under
 * {@link #lock}. So every store whose mark is in the harvested words happens-before the harvester's release of that
 * lock, and hence before any page is copied: the copy has it. Every later store of the vCPU marks the words that were
 * swapped in, which it sees because it loads them again after the swap: the next harvest has it. There is no third
 * case. A copy that runs while a later store goes on may be torn, but that store's mark is in the next harvest.
 *
 * <p>What would break it: polling between mark and store; keeping {@link #words()} across a poll or an unpark; copying
 * a page before the harvest returned; a wait of the vCPU outside a parked region (the harvester would wait for it).
 */
public final class VcpuDirtyLog {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition taken = lock.newCondition();
  private long[] active;
  private long[] spare;
  /** Guarded by {@link #lock}; true before the vCPU's first step and after its last. */
  private boolean parked = true;
  /** Written under {@link #lock}; read without it by the vCPU's poll, which may see it late but not never. */
  private volatile boolean requested;

  VcpuDirtyLog(long pageCount) {
    active = PageBitmap.newWords(pageCount);
    spare = PageBitmap.newWords(pageCount);
  }

  /** The words to mark pages in until the next poll or unpark. For the vCPU's thread only. */
  public long[] words() {
    return active;
  }

  /** Marks a page in words got from {@link #words()}. */
  public static void mark(long[] words, long page) {
    int index = (int) (page >>> 6);
    long word = words[index];
    long bit = 1L << page;
    if ((word & bit) == 0) {
      words[index] = word | bit;
    }
  }

  /** A step boundary of the vCPU: hands its marks over if they are wanted. */
  public void poll() {
    if (requested) {
      lock.lock();
      try {
        swapIfRequested();
      } finally {
        lock.unlock();
      }
    }
  }

  /** The vCPU is about to wait, at a step boundary; until {@link #unpark} others may take its marks. */
  public void park() {
    lock.lock();
    try {
      swapIfRequested();
      parked = true;
    } finally {
      lock.unlock();
    }
  }

  /** The vCPU is about to run again. */
  public void unpark() {
    lock.lock();
    parked = false;
    lock.unlock();
  }

  /** Asks for the marks; {@link #collect} waits for them. Asking all vCPUs first makes them answer in parallel. */
  void request() {
    lock.lock();
    try {
      requested = true;
      if (parked) {
        swapIfRequested();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Waits for the marks asked for and merges them into both targets. */
  void collect(PageBitmap harvest, AtomicPageBitmap everWritten) {
    lock.lock();
    try {
      while (requested) {
        taken.awaitUninterruptibly();
      }
      harvest.or(spare);
      everWritten.or(spare);
      Arrays.fill(spare, 0);
    } finally {
      lock.unlock();
    }
  }

  /** A hint, possibly out of date in either direction: is the page marked right now? */
  boolean seemsDirty(long page) {
    return (active[(int) (page >>> 6)] & 1L << page) != 0;
  }

  private void swapIfRequested() {
    if (requested) {
      long[] harvested = active;
      active = spare;
      spare = harvested;
      requested = false;
      taken.signalAll();
    }
  }
}
