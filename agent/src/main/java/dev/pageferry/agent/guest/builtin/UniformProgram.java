package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.common.page.PageRange;
import java.util.List;
import java.util.Map;

/** Writes any page of a range, all alike. */
final class UniformProgram extends WritingProgram {
  private final PageRange range;

  UniformProgram(long seed, PageRange range) {
    super(seed);
    this.range = range;
  }

  @Override
  long page(long random, Registers registers) {
    return range.first() + SplitMix64.bounded(random, range.count());
  }

  static final class Kind implements ProgramKind {
    @Override
    public String name() {
      return "uniform";
    }

    @Override
    public GuestProgram program(VcpuPart part, Map<String, String> given, List<DiskDescription> disks) {
      return new UniformProgram(part.seed(), part.workingSet());
    }
  }
}
