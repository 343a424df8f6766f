package dev.pageferry.agent.guest;

import dev.pageferry.agent.memory.PageStore;

/**
 * What one vCPU runs. A program is deterministic: its registers and its own share of RAM at step n decide both at any
 * later step, on any host. So a twin can be replayed beside it.
 */
interface GuestProgram {
  /** The registers before step 0. */
  Registers initialRegisters();

  /**
   * Runs steps and advances the program counter by their number.
   *
   * @param dirtyWords where each page is marked, {@link dev.pageferry.agent.memory.VcpuDirtyLog#mark}, in the same step
   *     as its store
   */
  void run(Registers registers, PageStore ram, long[] dirtyWords, int steps);
}
