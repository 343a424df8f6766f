package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.memory.VcpuDirtyLog;
import dev.pageferry.common.page.PageSize;

/** A program whose every step stores eight pseudo-random bytes into one page. Which one is left to those that extend it. */
abstract class WritingProgram implements GuestProgram {
  private static final long VALUE_SALT = 0xD1B54A32D192ED03L;

  private final long seed;

  WritingProgram(long seed) {
    this.seed = seed;
  }

  /** The page that a step writes. Depends on the random bits and the registers only. */
  abstract long page(long random, Registers registers);

  @Override
  public final Registers initialRegisters() {
    Registers registers = new Registers();
    registers.set(Registers.RANDOM, SplitMix64.mix(seed));
    return registers;
  }

  @Override
  public final int run(Registers registers, PageStore ram, long[] dirtyWords, int steps) {
    long state = registers.get(Registers.RANDOM);
    for (int i = 0; i < steps; i++) {
      state += SplitMix64.GAMMA;
      long random = SplitMix64.mix(state);
      long page = page(random, registers);
      long address = PageSize.bytesOf(page) + ((random & 0x1FF) << 3);
      VcpuDirtyLog.mark(dirtyWords, page);
      ram.putLong(address, SplitMix64.mix(random ^ VALUE_SALT));
    }
    registers.set(Registers.RANDOM, state);
    registers.set(Registers.PROGRAM_COUNTER, registers.get(Registers.PROGRAM_COUNTER) + steps);
    return steps;
  }
}
