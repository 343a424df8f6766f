package dev.pageferry.agent.memory;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/** A set of page numbers to which any thread may add. */
public final class AtomicPageBitmap {
  private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);

  private final long[] words;

  public AtomicPageBitmap(long pageCount) {
    words = PageBitmap.newWords(pageCount);
  }

  public void add(long page) {
    orWord((int) (page >>> 6), 1L << page);
  }

  /** Whether the page is in the set, as seen by the thread that added it or one that synchronized with it since. */
  public boolean contains(long page) {
    return ((long) WORD.getOpaque(words, (int) (page >>> 6)) & 1L << page) != 0;
  }

  /** Adds pages [from, end). */
  public void addRange(long from, long end) {
    for (long page = from; page < end;) {
      long wordEnd = Math.min(end, (page | 63) + 1);
      long bits = wordEnd - page == 64 ? -1L : ((1L << (wordEnd - page)) - 1) << page;
      orWord((int) (page >>> 6), bits);
      page = wordEnd;
    }
  }

  void or(long[] others) {
    for (int i = 0; i < words.length; i++) {
      orWord(i, others[i]);
    }
  }

  void orWord(int index, long bits) {
    if (bits != 0 && ((long) WORD.getOpaque(words, index) & bits) != bits) {
      WORD.getAndBitwiseOr(words, index, bits);
    }
  }

  /** Adds all pages of this set to another of the same size. */
  public void addTo(PageBitmap target) {
    for (int i = 0; i < words.length; i++) {
      target.orWord(i, (long) WORD.getVolatile(words, i));
    }
  }
}
