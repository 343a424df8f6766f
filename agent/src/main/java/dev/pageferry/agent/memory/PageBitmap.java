package dev.pageferry.agent.memory;

import java.util.Arrays;

/** A set of page numbers [0, pageCount). Used by one thread at a time. */
public final class PageBitmap {
  private final long[] words;
  private final long pageCount;

  public PageBitmap(long pageCount) {
    this.pageCount = pageCount;
    this.words = newWords(pageCount);
  }

  static long[] newWords(long pageCount) {
    return new long[Math.toIntExact(Math.ceilDiv(pageCount, 64L))];
  }

  public long pageCount() {
    return pageCount;
  }

  public boolean contains(long page) {
    return (words[(int) (page >>> 6)] & 1L << page) != 0;
  }

  public void add(long page) {
    words[(int) (page >>> 6)] |= 1L << page;
  }

  /** Adds all pages of another set of the same size, or of fewer pages. */
  public void addAll(PageBitmap other) {
    or(other.words);
  }

  /** Adds a set of the same size, or of fewer pages. */
  void or(long[] others) {
    for (int i = 0; i < others.length; i++) {
      words[i] |= others[i];
    }
  }

  void orWord(int index, long word) {
    words[index] |= word;
  }

  public void clear() {
    Arrays.fill(words, 0);
  }

  public boolean isEmpty() {
    for (long word : words) {
      if (word != 0) {
        return false;
      }
    }
    return true;
  }

  /** Number of pages in the set. */
  public long cardinality() {
    long count = 0;
    for (long word : words) {
      count += Long.bitCount(word);
    }
    return count;
  }

  /** The first page of the set in [from, end), or -1. */
  public long next(long from, long end) {
    if (from >= end) {
      return -1;
    }
    int index = (int) (from >>> 6);
    int last = (int) ((end - 1) >>> 6);
    long word = words[index] & -1L << from;
    while (word == 0) {
      if (++index > last) {
        return -1;
      }
      word = words[index];
    }
    long page = ((long) index << 6) + Long.numberOfTrailingZeros(word);
    return page < end ? page : -1;
  }
}
