package dev.pageferry.agent.guest.qemu;

import dev.pageferry.common.page.PageSize;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/** A block of a machine that leaves which is not RAM, such as its firmware: what it holds, and which pages were not told of yet. */
final class SmallBlock {
  /** Bytes of one {@link BlockContent}: several of them fit into a message. */
  private static final int LONGEST = 256 << 10;
  private static final byte[] ZEROS = new byte[PageSize.BYTES];

  private final int place;
  private final byte[] content;
  private final BitSet untold = new BitSet();
  private final BitSet read = new BitSet();

  /** @param place among the machine's blocks */
  SmallBlock(int place, int length) {
    this.place = place;
    this.content = new byte[length];
  }

  void fill(int offset, byte value) {
    Arrays.fill(content, offset, offset + PageSize.BYTES, value);
    note(offset / PageSize.BYTES);
  }

  void put(int offset, byte[] page) {
    System.arraycopy(page, 0, content, offset, PageSize.BYTES);
    note(offset / PageSize.BYTES);
  }

  private void note(int page) {
    untold.set(page);
    read.set(page);
  }

  /** Whether each of its pages came once. */
  boolean isWhole() {
    return read.cardinality() == content.length / PageSize.BYTES;
  }

  int length() {
    return content.length;
  }

  /** Copies of the pages that came since this was asked last, in the order of their addresses. */
  List<BlockContent> takeUntold() {
    List<BlockContent> taken = new ArrayList<>();
    for (int first = untold.nextSetBit(0); first >= 0;) {
      int end = Math.min(untold.nextClearBit(first), first + LONGEST / PageSize.BYTES);
      taken.add(content(first, end));
      first = untold.nextSetBit(end);
    }
    untold.clear();
    return taken;
  }

  private BlockContent content(int firstPage, int endPage) {
    int last = endPage;
    while (last > firstPage && isZero(last - 1)) {
      last--;
    }
    int offset = firstPage * PageSize.BYTES;
    return new BlockContent(place, offset, (long) (endPage - firstPage) * PageSize.BYTES,
        Arrays.copyOfRange(content, offset, last * PageSize.BYTES));
  }

  private boolean isZero(int page) {
    int offset = page * PageSize.BYTES;
    return Arrays.equals(content, offset, offset + PageSize.BYTES, ZEROS, 0, PageSize.BYTES);
  }
}
