package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.common.page.PageRange;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.units.ByteSize;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Which program a VM's vCPUs run, with its arguments checked against the VM.
 *
 * <p>vCPU i has the i-th equal share of RAM to itself, and its working set is the beginning of that share, so that a
 * replay does not depend on how vCPUs interleave. A step counts as {@link PageSize#BYTES} written.
 */
public final class ProgramSpec {
  private static final long DEFAULT_RATE_BYTES = 100_000_000;
  /** Some 244 records a second. */
  private static final long DEFAULT_JOURNAL_RATE_BYTES = 1_000_000;
  private static final long DEFAULT_HOT_SET_BYTES = 64L << 20;
  private static final int BLOCK_BYTES = DiskMixProgram.BLOCK_BYTES;
  /** Of one vCPU: a twin keeps them all in memory. */
  private static final long MAX_MIX_BLOCKS = 4096;
  private static final double DEFAULT_THETA = 0.99;

  /** The programs on offer. */
  public enum Kind {
    IDLE,
    UNIFORM,
    HOTSET,
    ZIPF,
    SEQUENTIAL,
    /** Appends to a journal on its disk. */
    JOURNAL,
    /** Memory and disk in turn. */
    DISKMIX;

    boolean needsDisk() {
      return this == JOURNAL || this == DISKMIX;
    }
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
  private final int disk;

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
    Set<String> known = new TreeSet<>(Set.of("rate", "workingSet", "seed", "fill"));
    if (kind == Kind.ZIPF) {
      known.add("theta");
    }
    if (kind.needsDisk()) {
      known.add("disk");
    }
    for (String argument : arguments.keySet()) {
      if (!known.contains(argument)) {
        throw new IllegalArgumentException("program '%s' has no argument '%s'; it takes %s".formatted(name, argument,
            String.join(", ", known)));
      }
    }
    long defaultRate = kind == Kind.JOURNAL ? DEFAULT_JOURNAL_RATE_BYTES : DEFAULT_RATE_BYTES;
    this.stepsPerSecond = rate(arguments.get("rate"), defaultRate) / (double) PageSize.BYTES;
    this.workingSetPages = PageSize.pagesFor(workingSet(memoryBytes));
    this.seed = number("seed", 1);
    this.fill = fillOf(arguments.getOrDefault("fill", "zero"));
    this.theta = thetaOf(arguments.get("theta"));
    this.disk = diskOf(number("disk", 0));
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

  /**
   * The program of one vCPU.
   *
   * @param disks of the VM, which {@link #verifyDisks} found right
   */
  GuestProgram program(int vcpu, List<DiskDescription> disks) {
    PageRange share = share(vcpu);
    PageRange workingSet = workingSet(vcpu);
    long vcpuSeed = seed + vcpu * 0x632BE59BD9B4E019L;
    return switch (kind) {
      case IDLE -> new IdleProgram();
      case UNIFORM -> new WritingProgram(vcpuSeed, WritingProgram.uniform(workingSet));
      case HOTSET -> new WritingProgram(vcpuSeed, WritingProgram.hotSet(workingSet, share));
      case ZIPF -> new WritingProgram(vcpuSeed, WritingProgram.zipf(workingSet, theta));
      case SEQUENTIAL -> new WritingProgram(vcpuSeed, WritingProgram.sequential(workingSet));
      case JOURNAL -> journal(vcpu, disks);
      case DISKMIX -> {
        PageRange blocks = diskShare(vcpu, disks, DiskMixProgram.BLOCK_BYTES);
        yield new DiskMixProgram(vcpuSeed, workingSet, disk, blocks.first(), Math.min(blocks.count(), MAX_MIX_BLOCKS));
      }
    };
  }

  /**
   * Refuses registers with which a vCPU's program would write outside its share.
   *
   * @throws IllegalArgumentException naming the register
   */
  void verify(int vcpu, Registers registers) {
    if (registers.get(Registers.JOURNAL_BASE) < 0 || registers.get(Registers.BLOCKS_WRITTEN) < 0
        || (kind == Kind.DISKMIX && registers.get(Registers.BLOCKS_WRITTEN) != blocksWrittenAfter(registers))) {
      throw new IllegalArgumentException("vCPU %d has written %d blocks behind record %d at step %d".formatted(vcpu,
          registers.get(Registers.BLOCKS_WRITTEN), registers.get(Registers.JOURNAL_BASE),
          registers.get(Registers.PROGRAM_COUNTER)));
    }
    long cursor = registers.get(Registers.CURSOR);
    if (kind == Kind.SEQUENTIAL && (cursor < 0 || cursor >= workingSet(vcpu).count())) {
      throw new IllegalArgumentException("vCPU %d is at page %d of a working set of %d pages".formatted(vcpu, cursor,
          workingSet(vcpu).count()));
    }
  }

  private JournalProgram journal(int vcpu, List<DiskDescription> disks) {
    PageRange slots = diskShare(vcpu, disks, JournalProgram.RECORD_BYTES);
    return new JournalProgram(disk, slots.first(), slots.count(), share(vcpu).first());
  }

  /** The part of the disk that only this vCPU uses, in units. */
  private PageRange diskShare(int vcpu, List<DiskDescription> disks, int unitBytes) {
    long ofEach = disks.get(disk).sizeBytes() / unitBytes / vcpus;
    return new PageRange(ofEach * vcpu, ofEach * (vcpu + 1));
  }

  /**
   * Refuses disks with which the program cannot do its work.
   *
   * @throws IllegalArgumentException naming what is missing
   */
  void verifyDisks(List<DiskDescription> disks) {
    if (!kind.needsDisk()) {
      return;
    }
    if (disk >= disks.size()) {
      throw new IllegalArgumentException("program '%s' uses disk %d, and the VM has %d; add --disk".formatted(name(),
          disk, disks.size()));
    }
    long least = 2L * BLOCK_BYTES * vcpus;
    if (disks.get(disk).sizeBytes() < least) {
      throw new IllegalArgumentException("program '%s' needs a disk of at least %s for %d vCPUs, disk %s has %s"
          .formatted(name(), ByteSize.format(least), vcpus, disks.get(disk).name(),
              ByteSize.format(disks.get(disk).sizeBytes())));
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

  private static long blocksWrittenAfter(Registers registers) {
    // Of two requests the first is a write.
    return (registers.get(Registers.PROGRAM_COUNTER) / DiskMixProgram.STEPS_PER_REQUEST + 1) / 2;
  }

  private static int diskOf(long index) {
    if (index < 0 || index >= VmSpec.MAX_DISKS) {
      throw new IllegalArgumentException("disk '%d' is not between 0 and %d".formatted(index, VmSpec.MAX_DISKS - 1));
    }
    return (int) index;
  }

  private static Kind kindOf(String name) {
    for (Kind kind : Kind.values()) {
      if (kind.name().toLowerCase(Locale.ROOT).equals(name)) {
        return kind;
      }
    }
    throw new IllegalArgumentException(
        "unknown program '%s'; there are %s".formatted(name, Arrays.stream(Kind.values())
            .map(each -> each.name().toLowerCase(Locale.ROOT)).collect(Collectors.joining(", "))));
  }

  private static double rate(@Nullable String text, long byDefault) {
    if (text == null) {
      return byDefault;
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
