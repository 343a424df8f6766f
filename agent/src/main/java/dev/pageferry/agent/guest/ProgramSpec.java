package dev.pageferry.agent.guest;

import dev.pageferry.common.page.PageRange;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.units.ByteSize;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Which program a VM's vCPUs run, with its arguments checked against the VM.
 *
 * <p>vCPU i has the i-th equal share of RAM to itself, and its working set is the beginning of that share, so that a
 * replay does not depend on how vCPUs interleave. A step counts as {@link PageSize#BYTES} written.
 */
public final class ProgramSpec {
  private static final long DEFAULT_RATE_BYTES = 100_000_000;
  private static final long DEFAULT_HOT_SET_BYTES = 64L << 20;
  private static final double DEFAULT_THETA = 0.99;

  /** The programs on offer. */
  public enum Kind {
    IDLE,
    UNIFORM,
    HOTSET,
    ZIPF,
    SEQUENTIAL
  }

  /** What RAM holds before step 0, where no image fills it. */
  public enum Fill {
    ZERO,
    RANDOM
  }

  private final Kind kind;
  private final Map<String, String> arguments;
  private final long memoryPages;
  private final int vcpus;
  private final double stepsPerSecond;
  private final long workingSetPages;
  private final long seed;
  private final Fill fill;
  private final double theta;

  /**
   * Checks a program and its arguments.
   *
   * @param memoryBytes RAM of the VM, a multiple of the page size
   * @throws IllegalArgumentException naming what is unknown or out of range
   */
  public ProgramSpec(String name, Map<String, String> arguments, long memoryBytes, int vcpus) {
    this.kind = kindOf(name);
    this.arguments = new TreeMap<>(arguments);
    this.memoryPages = PageSize.pagesFor(memoryBytes);
    this.vcpus = vcpus;
    Set<String> known = kind == Kind.ZIPF
        ? Set.of("rate", "workingSet", "seed", "fill", "theta")
        : Set.of("rate", "workingSet", "seed", "fill");
    for (String argument : arguments.keySet()) {
      if (!known.contains(argument)) {
        throw new IllegalArgumentException("program '%s' has no argument '%s'; it takes %s".formatted(name, argument,
            String.join(", ", known.stream().sorted().toList())));
      }
    }
    this.stepsPerSecond = rate(arguments.get("rate")) / (double) PageSize.BYTES;
    this.workingSetPages = PageSize.pagesFor(workingSet(memoryBytes));
    this.seed = number("seed", 1);
    this.fill = fillOf(arguments.getOrDefault("fill", "zero"));
    this.theta = thetaOf(arguments.get("theta"));
  }

  public String name() {
    return kind.name().toLowerCase(Locale.ROOT);
  }

  public Map<String, String> arguments() {
    return arguments;
  }

  public Fill fill() {
    return fill;
  }

  public long seed() {
    return seed;
  }

  /** Steps per second of one vCPU; infinite where the rate is unlimited. */
  double stepsPerSecondOfVcpu() {
    return stepsPerSecond / vcpus;
  }

  /** The program of one vCPU. */
  GuestProgram program(int vcpu) {
    PageRange share = share(vcpu);
    PageRange workingSet = workingSet(vcpu);
    long vcpuSeed = seed + vcpu * 0x632BE59BD9B4E019L;
    return switch (kind) {
      case IDLE -> new IdleProgram();
      case UNIFORM -> new WritingProgram(vcpuSeed, WritingProgram.uniform(workingSet));
      case HOTSET -> new WritingProgram(vcpuSeed, WritingProgram.hotSet(workingSet, share));
      case ZIPF -> new WritingProgram(vcpuSeed, WritingProgram.zipf(workingSet, theta));
      case SEQUENTIAL -> new WritingProgram(vcpuSeed, WritingProgram.sequential(workingSet));
    };
  }

  /**
   * Refuses registers with which a vCPU's program would write outside its share.
   *
   * @throws IllegalArgumentException naming the register
   */
  void verify(int vcpu, Registers registers) {
    long cursor = registers.get(Registers.CURSOR);
    if (kind == Kind.SEQUENTIAL && (cursor < 0 || cursor >= workingSet(vcpu).count())) {
      throw new IllegalArgumentException("vCPU %d is at page %d of a working set of %d pages".formatted(vcpu, cursor,
          workingSet(vcpu).count()));
    }
  }

  private PageRange workingSet(int vcpu) {
    PageRange share = share(vcpu);
    // A working set too small to divide still gives each vCPU a page of its own.
    return PageRange.ofCount(share.first(), Math.clamp(workingSetPages / vcpus, 1, share.count()));
  }

  /** The pages that only this vCPU writes. */
  PageRange share(int vcpu) {
    return new PageRange(memoryPages * vcpu / vcpus, memoryPages * (vcpu + 1) / vcpus);
  }

  private static Kind kindOf(String name) {
    for (Kind kind : Kind.values()) {
      if (kind.name().toLowerCase(Locale.ROOT).equals(name)) {
        return kind;
      }
    }
    throw new IllegalArgumentException(
        "unknown program '%s'; there are idle, uniform, hotset, zipf, sequential".formatted(name));
  }

  private static double rate(@Nullable String text) {
    if (text == null) {
      return DEFAULT_RATE_BYTES;
    }
    if (text.equals("unlimited")) {
      return Double.POSITIVE_INFINITY;
    }
    if (!text.endsWith("/s")) {
      throw new IllegalArgumentException("rate '%s' is neither 'unlimited' nor a rate such as 100MB/s".formatted(text));
    }
    long bytes = ByteSize.parse(text.substring(0, text.length() - 2));
    if (bytes < PageSize.BYTES) {
      throw new IllegalArgumentException(
          "rate '%s' is less than one step (%d bytes) per second".formatted(text, PageSize.BYTES));
    }
    return bytes;
  }

  private long workingSet(long memoryBytes) {
    String text = arguments.get("workingSet");
    long byDefault = kind == Kind.HOTSET ? Math.min(DEFAULT_HOT_SET_BYTES, memoryBytes) : memoryBytes;
    long bytes = text == null ? byDefault : ByteSize.parse(text);
    if (bytes < PageSize.BYTES || bytes > memoryBytes) {
      throw new IllegalArgumentException(
          "workingSet '%s' is not between one page and the VM's memory of %s".formatted(text,
              ByteSize.format(memoryBytes)));
    }
    return bytes;
  }

  private long number(String argument, long byDefault) {
    String text = arguments.get(argument);
    try {
      return text == null ? byDefault : Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("%s '%s' is not a whole number".formatted(argument, text), e);
    }
  }

  private static Fill fillOf(String text) {
    return switch (text) {
      case "zero" -> Fill.ZERO;
      case "random" -> Fill.RANDOM;
      default -> throw new IllegalArgumentException("fill '%s' is neither 'zero' nor 'random'".formatted(text));
    };
  }

  private static double thetaOf(@Nullable String text) {
    double theta;
    try {
      theta = text == null ? DEFAULT_THETA : Double.parseDouble(text);
    } catch (NumberFormatException e) {
      theta = Double.NaN;
    }
    if (!(theta > 0 && theta <= 10)) {
      throw new IllegalArgumentException("theta '%s' is not a number above 0 and up to 10".formatted(text));
    }
    return theta;
  }
}
