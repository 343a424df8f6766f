package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.service.ServiceMemory;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.units.ByteSize;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The configuration of a VM: all that is needed to build it, or its twin.
 *
 * @param memoryBytes RAM, a positive multiple of the page size, with at least a page for each vCPU
 * @param image the file that fills RAM before step 0
 * @param imageSha256 lower-case hex digest of the image as it was when the VM was created
 * @param disks in the order in which the guest sees them
 * @param nics network cards; the services behind them have the end of RAM to themselves
 */
public record VmSpec(VmId id, String name, long memoryBytes, int vcpus, ProgramSpec program, Optional<Path> image,
    Optional<String> imageSha256, List<DiskDescription> disks, List<NetworkCard> nics) {
  /** As many as a controller of the hypervisors that are the model has. */
  public static final int MAX_DISKS = 64;
  /** As many as a VM of the hypervisors that are the model has. */
  public static final int MAX_NICS = 8;
  /** vCPUs are threads of the host's agent. */
  public static final int MAX_VCPUS = 64;
  /** A page number fits 31 bits in the checksum tables. */
  public static final long MAX_MEMORY_BYTES = 8L << 40;

  public VmSpec {
    disks = List.copyOf(disks);
    nics = List.copyOf(nics);
    if (nics.size() > MAX_NICS) {
      throw new IllegalArgumentException("%d network cards are more than %d".formatted(nics.size(), MAX_NICS));
    }
    if (nics.stream().map(NetworkCard::toString).distinct().count() < nics.size()) {
      throw new IllegalArgumentException("a network card is named twice: %s".formatted(
          String.join(", ", nics.stream().map(NetworkCard::toString).toList())));
    }
    if (disks.size() > MAX_DISKS) {
      throw new IllegalArgumentException("%d disks are more than %d".formatted(disks.size(), MAX_DISKS));
    }
    if (disks.stream().map(DiskDescription::name).distinct().count() < disks.size()) {
      throw new IllegalArgumentException("a disk is named twice: %s".formatted(
          String.join(", ", disks.stream().map(DiskDescription::name).toList())));
    }
    program.verifyDisks(disks);
    if (vcpus < 1 || vcpus > MAX_VCPUS) {
      throw new IllegalArgumentException("%d vCPUs are not between 1 and %d".formatted(vcpus, MAX_VCPUS));
    }
    checkMemory(memoryBytes, vcpus);
    checkMemory(programBytes(memoryBytes, nics.size()), vcpus);
    if (image.isPresent() && program.fill() == ProgramSpec.Fill.RANDOM) {
      throw new IllegalArgumentException("fill=random and a memory image exclude each other");
    }
  }

  /** A VM without network cards. */
  public VmSpec(VmId id, String name, long memoryBytes, int vcpus, ProgramSpec program, Optional<Path> image,
      Optional<String> imageSha256, List<DiskDescription> disks) {
    this(id, name, memoryBytes, vcpus, program, image, imageSha256, disks, List.of());
  }

  /** @throws IllegalArgumentException if a VM cannot have that much memory */
  public static void checkMemory(long memoryBytes, int vcpus) {
    if (memoryBytes % PageSize.BYTES != 0 || memoryBytes < PageSize.bytesOf(Math.max(1, vcpus))
        || memoryBytes >= MAX_MEMORY_BYTES) {
      throw new IllegalArgumentException(
          "memory of %d bytes for %d vCPUs is not a multiple of %d bytes of at least one page a vCPU, and below %s"
              .formatted(memoryBytes, vcpus, PageSize.BYTES, ByteSize.format(MAX_MEMORY_BYTES)));
    }
  }

  /** What a VM with so many network cards leaves to its program. */
  public static long programBytes(long memoryBytes, int nics) {
    return PageSize.bytesOf(ServiceMemory.of(memoryBytes, nics).firstPage());
  }

  /** The end of RAM, which programs do not write. */
  public ServiceMemory serviceMemory() {
    return ServiceMemory.of(memoryBytes, nics.size());
  }

  public long pageCount() {
    return PageSize.pagesFor(memoryBytes);
  }

  /** The program of one vCPU. */
  GuestProgram programOf(int vcpu) {
    return program.program(vcpu, disks);
  }

  public VmSpec withImageSha256(String sha256) {
    return new VmSpec(id, name, memoryBytes, vcpus, program, image, Optional.of(sha256), disks, nics);
  }

  /** A VM without disks and network cards. */
  public static VmSpec diskless(VmId id, String name, long memoryBytes, int vcpus, ProgramSpec program) {
    return new VmSpec(id, name, memoryBytes, vcpus, program, Optional.empty(), Optional.empty(), List.of());
  }
}
