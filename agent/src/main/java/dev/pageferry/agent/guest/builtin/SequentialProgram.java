package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.common.page.PageRange;
import java.util.List;
import java.util.Map;

/** Writes page after page, round and round. */
final class SequentialProgram extends WritingProgram {
  private final PageRange range;

  private SequentialProgram(long seed, PageRange range) {
    super(seed);
    this.range = range;
  }

  @Override
  long page(long random, Registers registers) {
    long cursor = registers.get(Registers.CURSOR);
    registers.set(Registers.CURSOR, cursor + 1 == range.count() ? 0 : cursor + 1);
    return range.first() + cursor;
  }

  static final class Kind implements ProgramKind {
    @Override
    public String name() {
      return "sequential";
    }

    @Override
    public void verify(VcpuPart part, Registers registers) {
      long cursor = registers.get(Registers.CURSOR);
      long pages = part.workingSet().count();
      if (cursor < 0 || cursor >= pages) {
        throw new IllegalArgumentException("vCPU %d is at page %d of a working set of %d pages".formatted(part.vcpu(),
            cursor, pages));
      }
    }

    @Override
    public GuestProgram program(VcpuPart part, Map<String, String> given, List<DiskDescription> disks) {
      return new SequentialProgram(part.seed(), part.workingSet());
    }
  }
}
