package dev.pageferry.agent.memory;

import dev.pageferry.common.page.PageSize;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * XXH64 with seed 0 of exactly one page (xxHash specification 0.1.1, github.com/Cyan4973/xxHash). A page is a whole
 * number of 32-byte stripes, so that the specification's handling of a tail falls away.
 */
final class PageHash {
  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final long PRIME_1 = 0x9E3779B185EBCA87L;
  private static final long PRIME_2 = 0xC2B2AE3D27D4EB4FL;
  private static final long PRIME_3 = 0x165667B19E3779F9L;
  private static final long PRIME_4 = 0x85EBCA77C2B2AE63L;
  /** PRIME_1 + PRIME_2, modulo 2^64. */
  private static final long FIRST_LANE = 0x60EA27EEADC0B5D6L;

  private PageHash() {
  }

  static long of(MemorySegment memory, long address) {
    long a = FIRST_LANE;
    long b = PRIME_2;
    long c = 0;
    long d = -PRIME_1;
    for (long at = address; at < address + PageSize.BYTES; at += 32) {
      a = round(a, memory.get(WORD, at));
      b = round(b, memory.get(WORD, at + 8));
      c = round(c, memory.get(WORD, at + 16));
      d = round(d, memory.get(WORD, at + 24));
    }
    long hash = Long.rotateLeft(a, 1) + Long.rotateLeft(b, 7) + Long.rotateLeft(c, 12) + Long.rotateLeft(d, 18);
    hash = merge(merge(merge(merge(hash, a), b), c), d) + PageSize.BYTES;
    hash = (hash ^ (hash >>> 33)) * PRIME_2;
    hash = (hash ^ (hash >>> 29)) * PRIME_3;
    return hash ^ (hash >>> 32);
  }

  private static long round(long accumulator, long input) {
    return Long.rotateLeft(accumulator + input * PRIME_2, 31) * PRIME_1;
  }

  private static long merge(long hash, long accumulator) {
    return (hash ^ round(0, accumulator)) * PRIME_1 + PRIME_4;
  }
}
