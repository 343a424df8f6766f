package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.wire.PageFrame;
import dev.pageferry.agent.wire.WireException;
import dev.pageferry.agent.wire.WireException.Fault;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Which pages came in the present round, and which hold something else than zeros. Both bound what a peer can make this host do:
 * a page is taken once in a round, and cleared only after contents of it came, so that clearing costs the sender as much as it
 * costs the receiver.
 *
 * <p>A page belongs to one stream, and so does its block of {@link PageFrame#BLOCK_PAGES}: no two threads use the same words.
 */
final class ReceivedPages {
  /** Comes into being with the first of its pages: a disk may be large and nearly empty. */
  private static final int CHUNK_PAGES = 1 << 16;
  private static final int WORDS = CHUNK_PAGES / Long.SIZE;
  private static final int BLOCK_WORDS = PageFrame.BLOCK_PAGES / Long.SIZE;

  private final AtomicReferenceArray<@Nullable Chunk> chunks;

  private static final class Chunk {
    /** Of each block the round that {@link #came} is about, and one more: nothing is cleared between rounds. */
    private final int[] rounds = new int[CHUNK_PAGES / PageFrame.BLOCK_PAGES];
    private final long[] came = new long[WORDS];
    private final long[] hold = new long[WORDS];
  }

  ReceivedPages(long pageCount) {
    chunks = new AtomicReferenceArray<>(Math.toIntExact(Math.ceilDiv(pageCount, (long) CHUNK_PAGES)));
  }

  /**
   * Takes neighbouring pages of one block.
   *
   * @throws WireException if one of them came in this round already
   */
  void come(int round, long first, long pages) throws WireException {
    Chunk chunk = chunkOf(first);
    int index = (int) (first % CHUNK_PAGES);
    int block = index / PageFrame.BLOCK_PAGES;
    if (chunk.rounds[block] != round + 1) {
      chunk.rounds[block] = round + 1;
      for (int i = 0; i < BLOCK_WORDS; i++) {
        chunk.came[block * BLOCK_WORDS + i] = 0;
      }
    }
    int end = index + (int) pages;
    for (int from = index; from < end;) {
      int wordEnd = wordEnd(from, end);
      long bits = bits(from, wordEnd);
      int word = from / Long.SIZE;
      long twice = chunk.came[word] & bits;
      if (twice != 0) {
        throw new WireException(Fault.PAGE_REPEATED, "page=%d came in round=%d already",
            first - index + (long) word * Long.SIZE + Long.numberOfTrailingZeros(twice), round);
      }
      chunk.came[word] |= bits;
      from = wordEnd;
    }
  }

  /** Contents of neighbouring pages of one block came. */
  void hold(long first, int pages) {
    Chunk chunk = chunkOf(first);
    int end = (int) (first % CHUNK_PAGES) + pages;
    for (int from = end - pages; from < end;) {
      int wordEnd = wordEnd(from, end);
      chunk.hold[from / Long.SIZE] |= bits(from, wordEnd);
      from = wordEnd;
    }
  }

  private static int wordEnd(int from, int end) {
    return Math.min(end, (from | Long.SIZE - 1) + 1);
  }

  /** Of one word: [from, end). */
  private static long bits(int from, int end) {
    return (-1L >>> Long.SIZE - (end - from)) << from;
  }

  /** Whether contents of the page came since it was cleared last; it counts as cleared from now on. */
  boolean clear(long page) {
    Chunk chunk = chunks.get((int) (page / CHUNK_PAGES));
    if (chunk == null) {
      return false;
    }
    int index = (int) (page % CHUNK_PAGES);
    long bit = 1L << index;
    boolean held = (chunk.hold[index / Long.SIZE] & bit) != 0;
    chunk.hold[index / Long.SIZE] &= ~bit;
    return held;
  }

  private Chunk chunkOf(long page) {
    int number = (int) (page / CHUNK_PAGES);
    Chunk chunk = chunks.get(number);
    if (chunk != null) {
      return chunk;
    }
    Chunk made = new Chunk();
    Chunk other = chunks.compareAndExchange(number, null, made);
    return other == null ? made : other;
  }
}
