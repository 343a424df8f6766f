package dev.pageferry.agent.savedstate;

import dev.pageferry.agent.memory.PageStore;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Finds, for each page, an earlier one with the same contents. An open-addressing table of 8 bytes a slot, at most a
 * 256th of the memory; when a neighbourhood is full, a page simply counts as new. Contents decide, not hashes. Several
 * threads may ask at once: of equal pages one is the first.
 */
final class EqualPages {
  private static final int PROBES = 16;
  private static final long PAGE_MASK = 0xFFFFFFFFL;

  private final PageStore ram;
  private final AtomicLongArray slots;
  private final int mask;

  /** @param pages how many will be asked for at most */
  EqualPages(PageStore ram, long pages) {
    this.ram = ram;
    int size = Integer.highestOneBit((int) Math.clamp(pages * 2, 16, 1 << 30));
    this.slots = new AtomicLongArray(size);
    this.mask = size - 1;
  }

  /**
   * The first page with the same contents, this one where there is none.
   *
   * @param hash of the page
   */
  long firstLike(long page, long hash) {
    long tag = hash & ~PAGE_MASK;
    int slot = (int) hash & mask;
    for (int i = 0; i < PROBES; i++) {
      long seen = slots.get(slot);
      if (seen == 0 && slots.compareAndSet(slot, 0, tag | (page + 1))) {
        return page;
      }
      seen = slots.get(slot);
      if ((seen & ~PAGE_MASK) == tag) {
        long other = (seen & PAGE_MASK) - 1;
        if (other != page && ram.equal(page, other)) {
          return other;
        }
      }
      slot = (slot + 1) & mask;
    }
    return page;
  }
}
