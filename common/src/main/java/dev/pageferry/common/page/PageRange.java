package dev.pageferry.common.page;

/**
 * Pages [first, end) of a guest.
 *
 * @param first number of the first page
 * @param end number after the last page
 */
public record PageRange(long first, long end) {
  public PageRange {
    if (first < 0 || end < first) {
      throw new IllegalArgumentException("page range [%d, %d) is not valid".formatted(first, end));
    }
  }

  public static PageRange ofCount(long first, long count) {
    return new PageRange(first, Math.addExact(first, count));
  }

  public long count() {
    return end - first;
  }
}
