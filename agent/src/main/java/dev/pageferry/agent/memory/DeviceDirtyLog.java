package dev.pageferry.agent.memory;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The pages that devices have written since the last harvest. Any thread may mark, at any time: there is no handshake.
 *
 * <p><b>Why no write is lost.</b> A device stores first and then marks, by an atomic OR that is done whether or not the
 * bit seems to be set. The harvest takes each word by an atomic exchange before any page is copied. The two are ordered one
 * way or the other. If the exchange took the mark, the store, which came before the OR, is visible to whoever copies after
 * the exchange. If it did not, the OR came later, and the next harvest takes the mark.
 *
 * <p>What would break it: marking before the store (a harvest in between takes the mark and copies the old bytes); leaving
 * the OR out where the bit seems to be set (the exchange may just have cleared it, while the store still is in the writer's
 * store buffer); copying a page before the harvest returned.
 */
public final class DeviceDirtyLog {
  private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);

  private final long[] words;

  DeviceDirtyLog(long pageCount) {
    words = PageBitmap.newWords(pageCount);
  }

  /** Marks pages [first, last]; behind the stores to them. */
  public void mark(long first, long last) {
    for (long page = first; page <= last; page++) {
      var _ = (long) WORD.getAndBitwiseOr(words, (int) (page >>> 6), 1L << page);
    }
  }

  /** Takes all marks and merges them into both targets. */
  void collect(PageBitmap harvest, AtomicPageBitmap everWritten) {
    for (int i = 0; i < words.length; i++) {
      // Most words are empty, and a look is cheaper than an exchange. A mark that is missed here is the next harvest's.
      if ((long) WORD.getOpaque(words, i) != 0) {
        long taken = (long) WORD.getAndSet(words, i, 0L);
        harvest.orWord(i, taken);
        everWritten.orWord(i, taken);
      }
    }
  }

  /** A hint, possibly out of date in either direction: is the page marked right now? */
  boolean seemsDirty(long page) {
    return ((long) WORD.getOpaque(words, (int) (page >>> 6)) & 1L << page) != 0;
  }
}
