package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.memory.PageStore;
import java.util.List;
import java.util.Map;

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

  static final class Kind implements ProgramKind {
    @Override
    public String name() {
      return "idle";
    }

    @Override
    public GuestProgram program(VcpuPart part, Map<String, String> given, List<DiskDescription> disks) {
      return new IdleProgram();
    }
  }
}
