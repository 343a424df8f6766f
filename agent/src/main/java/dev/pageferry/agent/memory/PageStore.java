package dev.pageferry.agent.memory;

import dev.pageferry.common.page.PageSize;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * The RAM of one VM: one contiguous off-heap mapping of any size, in pages of {@link PageSize#BYTES}, all of it backed
 * by the host from the beginning.
 *
 * <p>Reads and writes by different threads are not ordered by this class: see {@link DirtyLog} for how a reader gets a
 * copy that is either whole or known to be stale. The memory is released when its owner closed it <em>and</em> the last
 * borrower returned it, because a socket read that is still under way holds a bare address.
 */
public final class PageStore implements AutoCloseable {
  /** {@link ValueLayout#JAVA_LONG} in the byte order of the guest, little-endian. */
  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final MemorySegment ZERO_PAGE = MemorySegment.ofBuffer(ByteBuffer.allocateDirect(PageSize.BYTES))
      .asReadOnly();

  /** Ends every access to the memory, so that a late one fails instead of reaching the next guest. */
  private final Arena arena;
  private final MemorySegment ram;
  private final long pageCount;
  private final Mapping mapping;
  /** The owner's until it has closed this; then the last holder's. */
  private volatile Consumer<Mapping> onReleased;
  /** Borrowers plus one for the owner; released at zero. */
  private final AtomicLong holders = new AtomicLong(1);
  private volatile boolean closed;

  /** @param onReleased told once, by the last holder's thread, when nobody uses the mapping any more */
  @SuppressWarnings("MustBeClosedChecker") // closed by the last holder
  PageStore(Mapping mapping, Consumer<Mapping> onReleased) {
    this.arena = Arena.ofShared();
    this.ram = mapping.view(arena);
    this.pageCount = PageSize.pagesFor(mapping.bytes());
    this.mapping = mapping;
    this.onReleased = onReleased;
  }

  /**
   * Maps and backs zero-filled memory outside any host's budget, using several threads.
   *
   * @param bytes a positive multiple of {@link PageSize#BYTES}
   * @throws OutOfMemoryException if the host cannot back it all; nothing stays allocated
   */
  public static PageStore allocate(long bytes) throws OutOfMemoryException, InterruptedException {
    checkSize(bytes);
    return new PageStore(Mapping.allocate(bytes), Mapping::close);
  }

  static void checkSize(long bytes) {
    if (bytes <= 0 || bytes % PageSize.BYTES != 0) {
      throw new IllegalArgumentException("%d bytes are not a positive multiple of %d".formatted(bytes, PageSize.BYTES));
    }
  }

  public long pageCount() {
    return pageCount;
  }

  /** Reads eight bytes at a byte address. */
  public long getLong(long address) {
    return ram.get(WORD, address);
  }

  /** Writes eight bytes at a byte address that is a multiple of eight. */
  public void putLong(long address, long value) {
    ram.set(WORD, address, value);
  }

  /**
   * Copies whole pages into a direct buffer, from its given index on. Guest writes meanwhile may tear the copy: whoever
   * copies has harvested the dirty log before, so such a page is copied again.
   */
  public void copyOut(long firstPage, int pages, ByteBuffer target, int targetOffset) {
    MemorySegment.copy(ram, PageSize.bytesOf(firstPage), MemorySegment.ofBuffer(target.duplicate().clear()),
        targetOffset,
        PageSize.bytesOf(pages));
  }

  /** Copies one page from a buffer, from its given index on. */
  public void copyIn(long page, ByteBuffer source, int sourceOffset) {
    MemorySegment.copy(MemorySegment.ofBuffer(source.duplicate().clear()), sourceOffset, ram, PageSize.bytesOf(page),
        PageSize.BYTES);
  }

  /** Copies bytes from a byte address on. Not torn only against writers of the same thread. */
  public void read(long address, byte[] target) {
    MemorySegment.copy(ram, ValueLayout.JAVA_BYTE, address, target, 0, target.length);
  }

  /** Copies bytes to a byte address on. */
  public void write(long address, byte[] source) {
    MemorySegment.copy(source, 0, ram, ValueLayout.JAVA_BYTE, address, source.length);
  }

  /** Fills whole pages with zeros. */
  public void zero(long firstPage, long pages) {
    ram.asSlice(PageSize.bytesOf(firstPage), PageSize.bytesOf(pages)).fill((byte) 0);
  }

  /** True where every byte of the page was zero as it was read. */
  public boolean isZero(long page) {
    long from = PageSize.bytesOf(page);
    // Most pages that are not zero show it in their first word, so that most of memory is not read here.
    return ram.get(WORD, from) == 0
        && MemorySegment.mismatch(ram, from, from + PageSize.BYTES, ZERO_PAGE, 0, PageSize.BYTES) < 0;
  }

  /** Whether two pages hold the same bytes. */
  public boolean equal(long page, long other) {
    long from = PageSize.bytesOf(page);
    long otherFrom = PageSize.bytesOf(other);
    return MemorySegment.mismatch(ram, from, from + PageSize.BYTES, ram, otherFrom, otherFrom + PageSize.BYTES) < 0;
  }

  /** Copies one page over another. */
  public void copyPage(long source, long target) {
    MemorySegment.copy(ram, PageSize.bytesOf(source), ram, PageSize.bytesOf(target), PageSize.BYTES);
  }

  /** 64-bit hash of a page, as {@link PageHash}. */
  public long hash(long page) {
    return PageHash.of(ram, PageSize.bytesOf(page));
  }

  /**
   * The pages as a direct buffer for socket reads and checksums. The caller has {@linkplain #borrow() borrowed} the
   * store for as long as it uses the buffer.
   *
   * @param pages at most 2^19 - 1 (a buffer holds less than 2 GiB)
   */
  public ByteBuffer window(long firstPage, int pages) {
    return ram.asSlice(PageSize.bytesOf(firstPage), PageSize.bytesOf(pages)).asByteBuffer();
  }

  /**
   * Keeps the memory until {@link #giveBack()}.
   *
   * @throws IllegalStateException if the store is closed
   */
  public void borrow() {
    long seen;
    do {
      seen = holders.get();
      if (seen == 0 || closed) {
        throw new IllegalStateException("the page store is closed");
      }
    } while (!holders.compareAndSet(seen, seen + 1));
  }

  /** Ends one borrowing; the last one of a closed store releases the memory. */
  public void giveBack() {
    release();
  }

  /** Releases the memory as soon as nobody borrows it. Idempotent, does not wait. */
  @Override
  public void close() {
    boolean _ = close(onReleased);
  }

  /**
   * As {@link #close()}, the memory going elsewhere than was thought.
   *
   * @return false if it was closed before, and the memory goes where it went then
   */
  boolean close(Consumer<Mapping> then) {
    synchronized (arena) {
      if (closed) {
        return false;
      }
      closed = true;
      onReleased = then;
    }
    release();
    return true;
  }

  private void release() {
    if (holders.decrementAndGet() == 0) {
      arena.close();
      onReleased.accept(mapping);
    }
  }
}
