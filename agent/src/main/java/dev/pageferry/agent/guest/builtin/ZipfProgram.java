package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.common.page.PageRange;
import java.util.List;
import java.util.Map;

/** Writes pages by Zipf's law: popularity by rank, ranks scattered over the range so that popular pages are not neighbours. */
final class ZipfProgram extends WritingProgram {
  /** The exponent. */
  private static final Argument<Double> THETA = new Argument<>("theta", "0.99", ZipfProgram::parseTheta);

  private final PageRange range;
  private final ZipfDistribution ranks;
  private final long stride;

  private ZipfProgram(long seed, PageRange range, double theta) {
    super(seed);
    this.range = range;
    this.ranks = new ZipfDistribution(range.count(), theta);
    this.stride = coprimeStride(range.count());
  }

  private static double parseTheta(String text) {
    double theta;
    try {
      theta = Double.parseDouble(text);
    } catch (NumberFormatException e) {
      theta = Double.NaN;
    }
    if (!(theta > 0 && theta <= 10)) {
      throw new IllegalArgumentException("theta '%s' is not a number above 0 and up to 10".formatted(text));
    }
    return theta;
  }

  @Override
  long page(long random, Registers registers) {
    long rank = ranks.sample(random) - 1;
    return range.first() + Math.floorMod(rank * stride, range.count());
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

  static final class Kind implements ProgramKind {
    @Override
    public String name() {
      return "zipf";
    }

    @Override
    public List<Argument<?>> arguments() {
      return List.of(THETA);
    }

    @Override
    public GuestProgram program(VcpuPart part, Map<String, String> given, List<DiskDescription> disks) {
      return new ZipfProgram(part.seed(), part.workingSet(), THETA.of(given));
    }
  }
}
