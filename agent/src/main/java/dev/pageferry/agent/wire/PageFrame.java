package dev.pageferry.agent.wire;

import dev.pageferry.common.page.PageSize;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * A page frame being built, in a direct buffer that is used again and again.
 *
 * <pre>
 * PAGE_RUN     round u32 | reserved u32 | firstPage u64 | checksum u32 × n | page × n
 * PAGE_BATCH   round u32 | reserved u32 | pageNumber u64 × n | checksum u32 × n | page × n
 * ZERO_RANGES  round u32 | reserved u32 | (firstPage u64, pages u64) × n
 * </pre>
 *
 * n follows from the length of the body. Checksums are CRC32C of one page each.
 */
public final class PageFrame {
  /** Pages in one frame: 256 KiB, which stay in a core's cache between the copy, the checksum and the socket. */
  public static final int MAX_PAGES = 64;
  /** Ranges in one frame of zero pages. */
  public static final int MAX_RANGES = 1024;
  /** A page always travels on stream (page / BLOCK_PAGES) mod streams; a run and a range stay within a block. */
  public static final int BLOCK_PAGES = 256;

  static final int ROUND_AT = 0;
  static final int RESERVED_AT = ROUND_AT + Integer.BYTES;
  static final int TABLE_AT = RESERVED_AT + Integer.BYTES;
  /** Bytes of the body before the checksums of a run. */
  static final int RUN_CHECKSUMS_AT = TABLE_AT + Long.BYTES;
  static final int RUN_PAGE_BYTES = Integer.BYTES + PageSize.BYTES;
  static final int BATCH_PAGE_BYTES = Long.BYTES + Integer.BYTES + PageSize.BYTES;
  static final int RANGE_BYTES = 2 * Long.BYTES;
  private static final int CAPACITY = FrameHeader.BYTES + TABLE_AT + MAX_PAGES * BATCH_PAGE_BYTES;

  private final ByteBuffer buffer = ByteBuffer.allocateDirect(CAPACITY).order(ByteOrder.LITTLE_ENDIAN);
  private final CRC32C crc = new CRC32C();
  private FrameType type = FrameType.PAGE_RUN;
  private int count;

  /** Begins a run of neighbouring pages; their contents go to {@link #pageOffset}, their checksums follow. */
  public void startRun(int round, long firstPage, int pages) {
    start(FrameType.PAGE_RUN, round, pages);
    buffer.putLong(FrameHeader.BYTES + TABLE_AT, firstPage);
  }

  /** Begins a batch of scattered pages. */
  public void startBatch(int round, long[] pageNumbers, int pages) {
    start(FrameType.PAGE_BATCH, round, pages);
    for (int i = 0; i < pages; i++) {
      buffer.putLong(FrameHeader.BYTES + TABLE_AT + i * Long.BYTES, pageNumbers[i]);
    }
  }

  /** Begins a list of zero ranges, [first, first + length) each. */
  public void startZeroRanges(int round, long[] firsts, long[] lengths, int ranges) {
    start(FrameType.ZERO_RANGES, round, ranges);
    for (int i = 0; i < ranges; i++) {
      int at = FrameHeader.BYTES + TABLE_AT + i * RANGE_BYTES;
      buffer.putLong(at, firsts[i]);
      buffer.putLong(at + Long.BYTES, lengths[i]);
    }
  }

  private void start(FrameType newType, int round, int newCount) {
    type = newType;
    count = newCount;
    buffer.clear();
    buffer.putInt(FrameHeader.BYTES + ROUND_AT, round);
    buffer.putInt(FrameHeader.BYTES + RESERVED_AT, 0);
  }

  /** The buffer that {@link #pageOffset} counts in. Its position and limit are free to use until {@link #finish}. */
  public ByteBuffer buffer() {
    return buffer;
  }

  /** Where the contents of the frame's i-th page belong. */
  public int pageOffset(int index) {
    return FrameHeader.BYTES + checkedBodyBytes() + index * PageSize.BYTES;
  }

  /** Sets the checksum of the frame's i-th page. */
  public void setChecksum(int index, int checksum) {
    int table = type == FrameType.PAGE_RUN ? RUN_CHECKSUMS_AT : TABLE_AT + count * Long.BYTES;
    buffer.putInt(FrameHeader.BYTES + table + index * Integer.BYTES, checksum);
  }

  /** Bytes of the whole frame. */
  public int bytes() {
    return FrameHeader.BYTES + bodyBytes();
  }

  /** Writes the header; the frame then stands between the buffer's position and limit. */
  public void finish(long sequence) {
    FrameHeader.write(buffer, type, 0, bodyBytes(), checkedBodyBytes(), sequence, crc);
    buffer.clear().limit(bytes());
  }

  private int bodyBytes() {
    return checkedBodyBytes() + (type == FrameType.ZERO_RANGES ? 0 : count * PageSize.BYTES);
  }

  private int checkedBodyBytes() {
    return PageFrameMeta.checkedBodyBytes(type, count);
  }
}
