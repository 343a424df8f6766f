package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.BlockDevice;
import dev.pageferry.agent.memory.PageStore;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What one vCPU runs. A program is deterministic: its registers, its own share of RAM and what it wrote to its disk since
 * it booted decide, at step n, all of them at any later step, on any host. So a twin can be replayed beside it.
 */
interface GuestProgram {
  /** The registers before step 0, as far as they do not depend on what a disk holds. */
  Registers initialRegisters();

  /** The registers before step 0: a program that finds something on its disk goes on behind it. */
  default Registers registersAtBoot(List<BlockDevice> disks) throws IOException {
    return initialRegisters();
  }

  /** The registers from which a twin of one that has these now is replayed. */
  default Registers registersOfTwin(Registers original) {
    return initialRegisters();
  }

  /** Whether it reads from its disk what it wrote there, so that a twin needs a disk, too. */
  default boolean readsBack() {
    return false;
  }

  /**
   * Runs steps and advances the program counter by their number. Ends early before a step that needs a disk.
   *
   * @param dirtyWords where each page is marked, {@link dev.pageferry.agent.memory.VcpuDirtyLog#mark}, in the same step
   *     as its store
   * @return steps done
   */
  int run(Registers registers, PageStore ram, long[] dirtyWords, int steps);

  /**
   * What the next step asks of a disk. Asking changes nothing.
   *
   * @param epoch under which the disks are open
   * @return null if it asks nothing
   */
  default @Nullable DiskRequest nextRequest(Registers registers, PageStore ram, long epoch) {
    return null;
  }

  /** Does the step whose request was carried out, and advances the program counter by one. */
  default void complete(Registers registers, PageStore ram, long[] dirtyWords, DiskRequest request) {
    throw new IllegalStateException("this program has no disk steps");
  }
}
