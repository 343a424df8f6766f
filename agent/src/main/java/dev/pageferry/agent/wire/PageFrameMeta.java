package dev.pageferry.agent.wire;

import dev.pageferry.agent.wire.WireException.Fault;
import dev.pageferry.common.page.PageSize;
import java.nio.ByteBuffer;

/**
 * What a page frame says about its pages, as read from the stream before any page is. The layout is that of
 * {@link PageFrame}. Numbers of pages are not checked against a VM here: {@link #verifyWithin} does.
 */
public final class PageFrameMeta {
  private final FrameType type;
  private final int count;
  private final ByteBuffer frame;

  private PageFrameMeta(FrameType type, int count, ByteBuffer frame) {
    this.type = type;
    this.count = count;
    this.frame = frame;
  }

  /**
   * Number of pages, or ranges, in a body of that length.
   *
   * @throws WireException if the length fits no number of them from 1 to the maximum
   */
  public static int count(FrameType type, int bodyBytes) throws WireException {
    int fixed = type == FrameType.PAGE_RUN ? PageFrame.RUN_CHECKSUMS_AT : PageFrame.TABLE_AT;
    int each = switch (type) {
      case PAGE_RUN -> PageFrame.RUN_PAGE_BYTES;
      case PAGE_BATCH -> PageFrame.BATCH_PAGE_BYTES;
      default -> PageFrame.RANGE_BYTES;
    };
    int most = type == FrameType.ZERO_RANGES ? PageFrame.MAX_RANGES : PageFrame.MAX_PAGES;
    int variable = bodyBytes - fixed;
    if (variable <= 0 || variable % each != 0 || variable / each > most) {
      throw new WireException(Fault.BODY_MALFORMED, "type=%s bodyBytes=%d holds no 1 to %d entries of %d bytes", type,
          bodyBytes,
          most, each);
    }
    return variable / each;
  }

  /** Bytes of the body before the contents of the pages. */
  public static int checkedBodyBytes(FrameType type, int count) {
    return switch (type) {
      case PAGE_RUN -> PageFrame.RUN_CHECKSUMS_AT + count * Integer.BYTES;
      case PAGE_BATCH -> PageFrame.TABLE_AT + count * (Long.BYTES + Integer.BYTES);
      default -> PageFrame.TABLE_AT + count * PageFrame.RANGE_BYTES;
    };
  }

  /**
   * Reads what stands before the pages, whose checksum the caller has verified.
   *
   * @param frame header at index 0, the checked part of the body behind it, little-endian; read while this is used
   */
  public static PageFrameMeta of(FrameType type, int count, ByteBuffer frame) throws WireException {
    PageFrameMeta meta = new PageFrameMeta(type, count, frame);
    int reserved = frame.getInt(FrameHeader.BYTES + PageFrame.RESERVED_AT);
    if (reserved != 0) {
      throw new WireException(Fault.RESERVED_BITS, "type=%s reserved=%08x", type, reserved);
    }
    return meta;
  }

  public FrameType type() {
    return type;
  }

  /** Pages, or ranges. */
  public int count() {
    return count;
  }

  public int round() {
    return frame.getInt(FrameHeader.BYTES + PageFrame.ROUND_AT);
  }

  /** Number of the i-th page, or first page of the i-th range. */
  public long page(int index) {
    int table = FrameHeader.BYTES + PageFrame.TABLE_AT;
    return switch (type) {
      case PAGE_RUN -> frame.getLong(table) + index;
      case PAGE_BATCH -> frame.getLong(table + index * Long.BYTES);
      default -> frame.getLong(table + index * PageFrame.RANGE_BYTES);
    };
  }

  /** Pages in the i-th range of zero pages; 1 otherwise. */
  public long length(int index) {
    return type == FrameType.ZERO_RANGES
        ? frame.getLong(FrameHeader.BYTES + PageFrame.TABLE_AT + index * PageFrame.RANGE_BYTES + Long.BYTES)
        : 1;
  }

  public int checksum(int index) {
    int table = type == FrameType.PAGE_RUN ? PageFrame.RUN_CHECKSUMS_AT : PageFrame.TABLE_AT + count * Long.BYTES;
    return frame.getInt(FrameHeader.BYTES + table + index * Integer.BYTES);
  }

  /** Bytes of page contents that follow. */
  public int contentBytes() {
    return type == FrameType.ZERO_RANGES ? 0 : count * PageSize.BYTES;
  }

  /**
   * Refuses pages outside the VM, that belong to another stream, or that reach from one block of
   * {@link PageFrame#BLOCK_PAGES} into the next: who counts the neighbours of a run or range counts within one block.
   *
   * @param pageCount pages of the VM
   */
  public void verifyWithin(long pageCount, int stream, int streams) throws WireException {
    for (int i = 0; i < count; i++) {
      long first = page(i);
      long length = length(i);
      if (first < 0 || first >= pageCount || length < 1 || length > pageCount - first) {
        throw new WireException(Fault.PAGE_OUT_OF_RANGE, "type=%s page=%d pages=%d of a VM of %d pages", type, first,
            length,
            pageCount);
      }
      long block = first / PageFrame.BLOCK_PAGES;
      if (block % streams != stream || (first + length - 1) / PageFrame.BLOCK_PAGES != block) {
        throw new WireException(Fault.WRONG_STREAM, "type=%s page=%d pages=%d stream=%d of %d", type, first, length,
            stream,
            streams);
      }
    }
    if (type == FrameType.PAGE_RUN && page(0) / PageFrame.BLOCK_PAGES != page(count - 1) / PageFrame.BLOCK_PAGES) {
      throw new WireException(Fault.WRONG_STREAM, "type=%s page=%d pages=%d reaches into another block", type, page(0),
          count);
    }
  }
}
