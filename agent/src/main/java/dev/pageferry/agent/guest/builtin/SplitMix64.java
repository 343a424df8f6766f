package dev.pageferry.agent.guest.builtin;

/** SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): random numbers whose whole state is one 64-bit word. */
final class SplitMix64 {
  static final long GAMMA = 0x9E3779B97F4A7C15L;

  private SplitMix64() {
  }

  /** The number that belongs to a state; the next state is {@code state + GAMMA}. */
  static long mix(long state) {
    long z = (state ^ (state >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  /** Maps 64 random bits onto [0, bound) (Lemire's multiplication, with its bias of at most bound ÷ 2^64). */
  static long bounded(long random, long bound) {
    return Math.unsignedMultiplyHigh(random, bound);
  }

  /** Maps 64 random bits onto [0, 1). */
  static double unit(long random) {
    return (random >>> 11) * 0x1.0p-53;
  }
}
