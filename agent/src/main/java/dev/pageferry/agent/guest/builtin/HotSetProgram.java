package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.common.page.PageRange;
import java.util.List;
import java.util.Map;

/** Nine steps of ten write the working set, the others any page of the whole share. */
final class HotSetProgram extends WritingProgram {
  private static final long DEFAULT_BYTES = 64L << 20;

  private final PageRange hot;
  private final PageRange share;

  private HotSetProgram(long seed, PageRange hot, PageRange share) {
    super(seed);
    this.hot = hot;
    this.share = share;
  }

  @Override
  long page(long random, Registers registers) {
    // The share is picked by bits that bounded() hardly looks at.
    boolean cold = ((random >>> 9) & 0x3FF) < 102;
    PageRange range = cold ? share : hot;
    return range.first() + SplitMix64.bounded(random, range.count());
  }

  static final class Kind implements ProgramKind {
    @Override
    public String name() {
      return "hotset";
    }

    @Override
    public long defaultWorkingSetBytes(long memoryBytes) {
      return Math.min(DEFAULT_BYTES, memoryBytes);
    }

    @Override
    public GuestProgram program(VcpuPart part, Map<String, String> given, List<DiskDescription> disks) {
      return new HotSetProgram(part.seed(), part.workingSet(), part.share());
    }
  }
}
