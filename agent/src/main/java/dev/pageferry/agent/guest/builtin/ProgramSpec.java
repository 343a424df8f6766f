package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.common.page.PageRange;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.units.ByteSize;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Which program a VM's vCPUs run, with its arguments checked against the VM. Every program takes {@code rate},
 * {@code workingSet}, {@code seed} and {@code fill}; each may have more ({@link ProgramKind}).
 *
 * <p>vCPU i has the i-th equal share of RAM to itself, and its working set is the beginning of that share, so that a
 * replay does not depend on how vCPUs interleave. A step counts as {@link PageSize#BYTES} written.
 */
public final class ProgramSpec {
  private static final String RATE = "rate";
  private static final String WORKING_SET = "workingSet";
  private static final Argument<Long> SEED = Argument.wholeNumber("seed", "1");
  private static final Argument<Fill> FILL = new Argument<>("fill", "zero", ProgramSpec::fillOf);

  /** What RAM holds before step 0, where no image fills it. */
  public enum Fill {
    ZERO,
    RANDOM
  }

  private final ProgramKind kind;
  private final Map<String, String> arguments;
  private final long memoryPages;
  private final int vcpus;
  private final double stepsPerSecond;
  private final long workingSetPages;
  private final long seed;
  private final Fill fill;

  /**
   * Checks a program and its arguments.
   *
   * @param memoryBytes RAM of the VM, a multiple of the page size
   * @throws IllegalArgumentException naming what is unknown or out of range
   */
  public ProgramSpec(String name, Map<String, String> arguments, long memoryBytes, int vcpus) {
    this.kind = Programs.named(name);
    this.arguments = new TreeMap<>(arguments);
    this.memoryPages = PageSize.pagesFor(memoryBytes);
    this.vcpus = vcpus;
    Set<String> known = known(kind);
    for (String argument : arguments.keySet()) {
      if (!known.contains(argument)) {
        throw new IllegalArgumentException("program '%s' has no argument '%s'; it takes %s".formatted(name, argument,
            String.join(", ", known)));
      }
    }
    this.stepsPerSecond = rate(arguments.getOrDefault(RATE, kind.defaultRate())) / PageSize.BYTES;
    this.workingSetPages = PageSize.pagesFor(workingSet(memoryBytes));
    this.seed = SEED.of(arguments);
    this.fill = FILL.of(arguments);
    for (Argument<?> each : kind.arguments()) {
      // Refused now if it cannot be that, and not when the program is made.
      Object _ = each.of(arguments);
    }
  }

  /** The programs on offer, with the names of what each takes. */
  public static Map<String, Set<String>> offered() {
    Map<String, Set<String>> offered = new LinkedHashMap<>();
    Programs.ALL.forEach(each -> offered.put(each.name(), known(each)));
    return offered;
  }

  private static Set<String> known(ProgramKind kind) {
    Set<String> known = new TreeSet<>(List.of(RATE, WORKING_SET, SEED.name(), FILL.name()));
    kind.arguments().forEach(each -> known.add(each.name()));
    return known;
  }

  public String name() {
    return kind.name();
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
    return kind.program(part(vcpu), arguments, disks);
  }

  /**
   * Refuses registers with which a vCPU's program would write outside its share.
   *
   * @throws IllegalArgumentException naming the register
   */
  void verify(int vcpu, Registers registers) {
    if (registers.get(Registers.JOURNAL_BASE) < 0 || registers.get(Registers.BLOCKS_WRITTEN) < 0) {
      throw new IllegalArgumentException("vCPU %d has written %d blocks behind record %d at step %d".formatted(vcpu,
          registers.get(Registers.BLOCKS_WRITTEN), registers.get(Registers.JOURNAL_BASE),
          registers.get(Registers.PROGRAM_COUNTER)));
    }
    kind.verify(part(vcpu), registers);
  }

  /**
   * Refuses disks with which the program cannot do its work.
   *
   * @throws IllegalArgumentException naming what is missing
   */
  void verifyDisks(List<DiskDescription> disks) {
    kind.verifyDisks(arguments, disks, vcpus);
  }

  private VcpuPart part(int vcpu) {
    PageRange share = share(vcpu);
    // A working set too small to divide still gives each vCPU a page of its own.
    PageRange workingSet = PageRange.ofCount(share.first(), Math.clamp(workingSetPages / vcpus, 1, share.count()));
    return new VcpuPart(vcpu, vcpus, share, workingSet, seed + vcpu * 0x632BE59BD9B4E019L);
  }

  /** The pages that only this vCPU writes. */
  PageRange share(int vcpu) {
    return new PageRange(memoryPages * vcpu / vcpus, memoryPages * (vcpu + 1) / vcpus);
  }

  /** @return bytes per second */
  private static double rate(String text) {
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
    String text = arguments.get(WORKING_SET);
    long bytes = text == null ? kind.defaultWorkingSetBytes(memoryBytes) : ByteSize.parse(text);
    if (bytes < PageSize.BYTES || bytes > memoryBytes) {
      throw new IllegalArgumentException(
          "workingSet '%s' is not between one page and the VM's memory of %s".formatted(text,
              ByteSize.format(memoryBytes)));
    }
    return bytes;
  }

  private static Fill fillOf(String text) {
    return switch (text) {
      case "zero" -> Fill.ZERO;
      case "random" -> Fill.RANDOM;
      default -> throw new IllegalArgumentException("fill '%s' is neither 'zero' nor 'random'".formatted(text));
    };
  }
}
