package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.BlockDevice;
import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.disk.DiskFormat;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.guest.SpecMessages;
import dev.pageferry.agent.service.ServiceMemory;
import dev.pageferry.common.identity.Names;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.units.ByteSize;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
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
    Optional<String> imageSha256, List<DiskDescription> disks, List<NetworkCard> nics) implements GuestSpec {
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
    SpecMessages.check(disks, MAX_DISKS, nics, MAX_NICS);
    disks.stream().filter(each -> each.format() == DiskFormat.QCOW2).findFirst().ifPresent(each -> {
      throw new IllegalArgumentException("disk %s is qcow2, which only machines of QEMU read".formatted(each.name()));
    });
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

  /** The program of one vCPU. */
  GuestProgram programOf(int vcpu) {
    return program.program(vcpu, disks);
  }

  /**
   * The registers of every vCPU before step 0.
   *
   * @param devices the disks, open; a program may go on behind what it finds there
   */
  public MachineState bootState(List<BlockDevice> devices) throws IOException {
    List<Registers> registers = new ArrayList<>();
    for (int i = 0; i < vcpus; i++) {
      registers.add(programOf(i).registersAtBoot(devices));
    }
    return new MachineState(registers);
  }

  public VmSpec withImageSha256(String sha256) {
    return new VmSpec(id, name, memoryBytes, vcpus, program, image, Optional.of(sha256), disks, nics);
  }

  /** A VM without disks and network cards. */
  public static VmSpec diskless(VmId id, String name, long memoryBytes, int vcpus, ProgramSpec program) {
    return new VmSpec(id, name, memoryBytes, vcpus, program, Optional.empty(), Optional.empty(), List.of());
  }

  /** @throws IllegalArgumentException naming the value that no VM can have */
  public static VmSpec of(dev.pageferry.proto.agent.v1.VmSpec message) {
    checkMemory(message.getMemoryBytes(), message.getVcpus());
    ProgramSpec program = new ProgramSpec(message.getProgram(), message.getProgramArgsMap(),
        programBytes(message.getMemoryBytes(), message.getNicsCount()), message.getVcpus());
    return new VmSpec(new VmId(message.getId()), Names.check("VM name", message.getName()), message.getMemoryBytes(),
        message.getVcpus(), program,
        message.hasMemoryImage() ? Optional.of(Path.of(message.getMemoryImage())) : Optional.empty(),
        message.hasMemoryImageSha256() ? Optional.of(message.getMemoryImageSha256()) : Optional.empty(),
        message.getDisksList().stream().map(SpecMessages::fromProto).toList(),
        message.getNicsList().stream().map(SpecMessages::fromProto).toList());
  }

  @Override
  public dev.pageferry.proto.agent.v1.VmSpec toMessage() {
    var message = dev.pageferry.proto.agent.v1.VmSpec.newBuilder().setId(id.value()).setName(name)
        .setMemoryBytes(memoryBytes).setVcpus(vcpus).setProgram(program.name()).putAllProgramArgs(program.arguments());
    image.ifPresent(path -> message.setMemoryImage(path.toString()));
    imageSha256.ifPresent(message::setMemoryImageSha256);
    disks.forEach(disk -> message.addDisks(SpecMessages.toProto(disk)));
    nics.forEach(nic -> message.addNics(SpecMessages.toProto(nic)));
    return message.build();
  }
}
