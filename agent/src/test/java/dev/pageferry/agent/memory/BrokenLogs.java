package dev.pageferry.agent.memory;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/** Dirty logs that lose writes, each by one mistake. They show that the stress test would notice it. */
final class BrokenLogs {
  private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);

  private BrokenLogs() {
  }

  /**
   * One bitmap that the harvester clears under the running vCPU. The clearing itself is atomic, so that no mark is
   * overwritten; but a vCPU that has just read "already dirty" marks nothing, whether its store is still to come or
   * still waits in its store buffer.
   */
  static final class WithoutHandshake implements StressedLog {
    private final long[] words;

    WithoutHandshake(long pageCount) {
      words = PageBitmap.newWords(pageCount);
    }

    @Override
    public long[] words() {
      return words;
    }

    @Override
    public void poll() {
      // The mistake: the harvester does not wait for a step boundary.
    }

    @Override
    public void park() {
      // See poll().
    }

    @Override
    public void unpark() {
      // See poll().
    }

    @Override
    public void request() {
      // Nobody is asked.
    }

    @Override
    public void collect(PageBitmap harvest) {
      for (int i = 0; i < words.length; i++) {
        harvest.orWord(i, (long) WORD.getAndSet(words, i, 0L));
      }
    }
  }

  /**
   * The harvester looks whether the vCPU is parked and takes its words without keeping it from unparking meanwhile, so
   * that the vCPU may start to mark words that have been taken.
   */
  static final class WithoutParkingLock implements StressedLog {
    private volatile long[] active;
    private long[] spare;
    private volatile boolean parked = true;
    private volatile boolean requested;

    WithoutParkingLock(long pageCount) {
      active = PageBitmap.newWords(pageCount);
      spare = PageBitmap.newWords(pageCount);
    }

    @Override
    public long[] words() {
      return active;
    }

    @Override
    public void poll() {
      if (requested) {
        swap();
      }
    }

    @Override
    public void park() {
      poll();
      parked = true;
    }

    @Override
    public void unpark() {
      parked = false;
    }

    @Override
    public void request() {
      if (parked) {
        StressedPage.work();
        swap();
      } else {
        requested = true;
      }
    }

    @Override
    public void collect(PageBitmap harvest) {
      while (requested && !parked) {
        Thread.onSpinWait();
      }
      if (requested) {
        swap();
      }
      harvest.or(spare);
      Arrays.fill(spare, 0);
    }

    private void swap() {
      long[] harvested = active;
      active = spare;
      spare = harvested;
      requested = false;
    }
  }
}
