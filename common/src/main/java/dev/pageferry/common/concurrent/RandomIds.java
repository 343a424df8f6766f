package dev.pageferry.common.concurrent;

import java.util.UUID;
import java.util.random.RandomGenerator;

/** Ids from a source of chance that is handed in. */
public final class RandomIds {
  private RandomIds() {
  }

  /** A random UUID, version 4 of RFC 9562. */
  public static String uuid(RandomGenerator random) {
    long high = (random.nextLong() & 0xffff_ffff_ffff_0fffL) | 0x4000L;
    long low = (random.nextLong() & 0x3fff_ffff_ffff_ffffL) | 0x8000_0000_0000_0000L;
    return new UUID(high, low).toString();
  }
}
