package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.memory.VcpuDirtyLog;
import dev.pageferry.common.page.PageRange;
import dev.pageferry.common.page.PageSize;

/** A program whose every step stores eight pseudo-random bytes into one page that its {@link PageChoice} picks. */
final class WritingProgram implements GuestProgram {
  private static final long VALUE_SALT = 0xD1B54A32D192ED03L;

  /** Which page a step writes. Depends on the random bits and the registers only. */
  interface PageChoice {
    long page(long random, Registers registers);
  }

  private final long seed;
  private final PageChoice choice;

  WritingProgram(long seed, PageChoice choice) {
    this.seed = seed;
    this.choice = choice;
  }

  @Override
  public Registers initialRegisters() {
    Registers registers = new Registers();
    registers.set(Registers.RANDOM, SplitMix64.mix(seed));
    return registers;
  }

  @Override
  public int run(Registers registers, PageStore ram, long[] dirtyWords, int steps) {
    long state = registers.get(Registers.RANDOM);
    for (int i = 0; i < steps; i++) {
      state += SplitMix64.GAMMA;
      long random = SplitMix64.mix(state);
      long page = choice.page(random, registers);
      long address = PageSize.bytesOf(page) + ((random & 0x1FF) << 3);
      VcpuDirtyLog.mark(dirtyWords, page);
      ram.putLong(address, SplitMix64.mix(random ^ VALUE_SALT));
    }
    registers.set(Registers.RANDOM, state);
    registers.set(Registers.PROGRAM_COUNTER, registers.get(Registers.PROGRAM_COUNTER) + steps);
    return steps;
  }

  /** Any page of the range, all alike. */
  static PageChoice uniform(PageRange range) {
    return (random, registers) -> range.first() + SplitMix64.bounded(random, range.count());
  }

  /** Nine steps of ten in the hot range, the others anywhere in the whole share. */
  static PageChoice hotSet(PageRange hot, PageRange share) {
    return (random, registers) -> {
      // The share is picked by bits that bounded() hardly looks at.
      boolean cold = ((random >>> 9) & 0x3FF) < 102;
      PageRange range = cold ? share : hot;
      return range.first() + SplitMix64.bounded(random, range.count());
    };
  }

  /** Page after page, round and round. */
  static PageChoice sequential(PageRange range) {
    return (random, registers) -> {
      long cursor = registers.get(Registers.CURSOR);
      registers.set(Registers.CURSOR, cursor + 1 == range.count() ? 0 : cursor + 1);
      return range.first() + cursor;
    };
  }

  /** Popularity by rank, ranks scattered over the range so that popular pages are not neighbours. */
  static PageChoice zipf(PageRange range, double theta) {
    ZipfDistribution ranks = new ZipfDistribution(range.count(), theta);
    long stride = coprimeStride(range.count());
    return (random, registers) -> {
      long rank = ranks.sample(random) - 1;
      return range.first() + Math.floorMod(rank * stride, range.count());
    };
  }

  private static long coprimeStride(long count) {
    long stride = Math.max(1, (long) (count * 0.6180339887498949));
    while (gcd(stride, count) != 1) {
      stride++;
    }
    return stride;
  }

  private static long gcd(long a, long b) {
    return b == 0 ? a : gcd(b, a % b);
  }
}
