package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.memory.PageStore;

/** Steps without stores. */
final class IdleProgram implements GuestProgram {
  @Override
  public Registers initialRegisters() {
    return new Registers();
  }

  @Override
  public int run(Registers registers, PageStore ram, long[] dirtyWords, int steps) {
    registers.set(Registers.PROGRAM_COUNTER, registers.get(Registers.PROGRAM_COUNTER) + steps);
    return steps;
  }
}
