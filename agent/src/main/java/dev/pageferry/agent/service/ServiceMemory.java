package dev.pageferry.agent.service;

import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.units.ByteSize;

/**
 * The end of guest RAM, which belongs to the network cards and the services behind them; programs do not write there. From
 * its beginning: for each card a page of counters (the first card's has those of the store, too) and a ring of receive buffers; the sessions
 * of the key-value store; its slots.
 *
 * @param firstPage of guest RAM that belongs to it
 * @param cards network cards, each with a ring
 * @param slots of the key-value store, a power of two
 */
public record ServiceMemory(long firstPage, int cards, int slots) {
  /** Less RAM has no room for rings and tables beside a program. */
  public static final long LEAST_MEMORY_BYTES = 4 << 20;
  static final int RING_BUFFERS = 32;
  static final int BUFFER_BYTES = 2048;
  static final int SESSIONS = 1024;

  private static final long RING_PAGES = 1 + PageSize.pagesFor(RING_BUFFERS * BUFFER_BYTES);
  private static final long SESSION_PAGES = PageSize.pagesFor(SESSIONS * Session.BYTES);
  /** The store has the largest power of two up to this part of RAM. */
  private static final int PART_OF_MEMORY = 16;
  private static final long MAX_STORE_BYTES = 16 << 20;

  /**
   * The layout for a VM.
   *
   * @param memoryBytes RAM
   * @param cards none: nothing is taken from it
   * @throws IllegalArgumentException if there is too little RAM
   */
  public static ServiceMemory of(long memoryBytes, int cards) {
    long pages = PageSize.pagesFor(memoryBytes);
    if (cards == 0) {
      return new ServiceMemory(pages, 0, 0);
    }
    if (memoryBytes < LEAST_MEMORY_BYTES) {
      throw new IllegalArgumentException("a VM with network cards needs at least %s of memory, not %s".formatted(
          ByteSize.format(LEAST_MEMORY_BYTES), ByteSize.format(memoryBytes)));
    }
    long storeBytes = Long.highestOneBit(Math.min(memoryBytes / PART_OF_MEMORY, MAX_STORE_BYTES));
    int slots = Math.toIntExact(storeBytes / Slot.BYTES);
    long own = cards * RING_PAGES + SESSION_PAGES + PageSize.pagesFor(storeBytes);
    return new ServiceMemory(pages - own, cards, slots);
  }

  public long pages() {
    return cards == 0 ? 0 : cards * RING_PAGES + SESSION_PAGES + PageSize.pagesFor((long) slots * Slot.BYTES);
  }

  /** Eight bytes that count the frames that a card has taken: which buffer is next. */
  long received(int card) {
    return PageSize.bytesOf(firstPage + card * RING_PAGES);
  }

  /** Eight bytes that count the changes that clients of the key-value store have asked for. */
  long changes() {
    return received(0) + Long.BYTES;
  }

  /** Eight bytes that change with every slot and session: the exclusive or of what each holds. */
  long fingerprint() {
    return changes() + Long.BYTES;
  }

  /** The buffer for the n-th frame of a card. */
  long buffer(int card, long frame) {
    return received(card) + PageSize.BYTES + Math.floorMod(frame, RING_BUFFERS) * (long) BUFFER_BYTES;
  }

  long session(int index) {
    return PageSize.bytesOf(firstPage + cards * RING_PAGES) + index * (long) Session.BYTES;
  }

  long slot(int index) {
    return PageSize.bytesOf(firstPage + cards * RING_PAGES + SESSION_PAGES) + index * (long) Slot.BYTES;
  }
}
