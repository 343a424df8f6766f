package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.common.page.PageRange;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.units.ByteSize;
import java.util.List;
import java.util.Map;

/** The disk of a guest program that uses one. */
final class ProgramDisk {
  /** Its number among the VM's disks. */
  private static final Argument<Integer> ARGUMENT = new Argument<>("disk", "0", ProgramDisk::parse);

  private ProgramDisk() {
  }

  /** A kind of program whose vCPUs use a part of one disk each. */
  abstract static class Kind implements ProgramKind {
    private final int unitBytes;

    /** @param unitBytes in which a vCPU's part is counted */
    Kind(int unitBytes) {
      this.unitBytes = unitBytes;
    }

    @Override
    public final List<Argument<?>> arguments() {
      return List.of(ARGUMENT);
    }

    @Override
    public final void verifyDisks(Map<String, String> given, List<DiskDescription> disks, int vcpus) {
      requireRoom(name(), ARGUMENT.of(given), disks, vcpus);
    }

    @Override
    public final GuestProgram program(VcpuPart part, Map<String, String> given, List<DiskDescription> disks) {
      int disk = ARGUMENT.of(given);
      return program(part, disk, share(part, disks.get(disk), unitBytes));
    }

    /** @param units of the disk with that number, which only this vCPU uses */
    abstract GuestProgram program(VcpuPart part, int disk, PageRange units);
  }

  private static int parse(String text) {
    long index = Argument.wholeNumberOf("disk", text);
    if (index < 0 || index >= VmSpec.MAX_DISKS) {
      throw new IllegalArgumentException("disk '%d' is not between 0 and %d".formatted(index, VmSpec.MAX_DISKS - 1));
    }
    return (int) index;
  }

  /**
   * Refuses a disk that is not there, or has less than two pages for each vCPU.
   *
   * @param program name of the program
   * @throws IllegalArgumentException naming what is missing
   */
  private static void requireRoom(String program, int disk, List<DiskDescription> disks, int vcpus) {
    if (disk >= disks.size()) {
      throw new IllegalArgumentException("program '%s' uses disk %d, and the VM has %d; add --disk".formatted(program,
          disk, disks.size()));
    }
    long least = 2L * PageSize.BYTES * vcpus;
    if (disks.get(disk).sizeBytes() < least) {
      throw new IllegalArgumentException("program '%s' needs a disk of at least %s for %d vCPUs, disk %s has %s"
          .formatted(program, ByteSize.format(least), vcpus, disks.get(disk).name(),
              ByteSize.format(disks.get(disk).sizeBytes())));
    }
  }

  /**
   * The part of the disk that only this vCPU uses.
   *
   * @return in units of that many bytes, from the beginning of the disk
   */
  private static PageRange share(VcpuPart part, DiskDescription disk, int unitBytes) {
    long ofEach = disk.sizeBytes() / unitBytes / part.vcpus();
    return new PageRange(ofEach * part.vcpu(), ofEach * (part.vcpu() + 1));
  }
}
