package dev.pageferry.common.page;

/** Guest pages are 4 KiB. Page numbers, page counts and bytes are different things: convert here. */
public final class PageSize {
  public static final int SHIFT = 12;
  /** Bytes in a page. */
  public static final int BYTES = 1 << SHIFT;

  private PageSize() {
  }

  /** Whole pages that hold the bytes, rounded up. */
  public static long pagesFor(long bytes) {
    return Math.ceilDiv(bytes, (long) BYTES);
  }

  /** Bytes in that many pages. */
  public static long bytesOf(long pages) {
    return Math.multiplyExact(pages, (long) BYTES);
  }
}
