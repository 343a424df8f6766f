package dev.pageferry.benchmark;

/** Words that look random, the same for the same seed (SplitMix64: Steele, Lea, Flood, OOPSLA 2014). */
final class SplitMix {
  private long state;

  SplitMix(long seed) {
    state = seed;
  }

  long next() {
    state += 0x9E3779B97F4A7C15L;
    long mixed = (state ^ (state >>> 30)) * 0xBF58476D1CE4E5B9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
    return mixed ^ (mixed >>> 31);
  }
}
