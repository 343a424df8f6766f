package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.disk.DiskFormat;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.guest.SpecMessages;
import dev.pageferry.common.identity.Names;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.agent.v1.QemuMachine;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The configuration of a QEMU machine.
 *
 * @param memoryBytes RAM, a multiple of 1 MiB
 * @param machine its type, with a version
 * @param cpu model
 * @param uefi empty: a BIOS
 * @param boots empty: its firmware looks for something on its disks
 * @param disks in the order in which the guest sees them
 * @param cdroms names of those of its disks that are CD-ROMs
 * @param arguments further options of QEMU
 */
record QemuSpec(VmId id, String name, long memoryBytes, int vcpus, String machine, String cpu, Accelerator accelerator,
    Optional<UefiFirmware> uefi, Optional<DirectKernel> boots, List<DiskDescription> disks, List<String> cdroms,
    List<NetworkCard> nics,
    List<QemuArgument> arguments) implements GuestSpec {
  /** The state of more may not fit into one message. */
  static final int MAX_VCPUS = 16;
  static final int MAX_NICS = 8;
  /** Slots of the PCI bus that are left, on every type of machine. */
  static final int MAX_DISKS = 14;
  /** Each at the head of an IDE bus, of which every type of machine has two. */
  static final int MAX_CDROMS = 2;
  private static final long MIB = 1L << 20;
  private static final long MOST_MEMORY = 1L << 40;
  /** Types without one are other machines in other versions of QEMU. */
  private static final Pattern VERSIONED = Pattern.compile(".+-\\d+\\.\\d+");
  /** Models that have what the host has. */
  private static final Set<String> AS_THE_HOST = Set.of("host", "max");
  /** What goes between the commas of an option's value, and needs no escape there. */
  private static final Pattern WORD = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._+-]{0,63}");

  QemuSpec {
    disks = List.copyOf(disks);
    cdroms = List.copyOf(cdroms);
    nics = List.copyOf(nics);
    arguments = List.copyOf(arguments);
    if (memoryBytes < MIB || memoryBytes % MIB != 0 || memoryBytes > MOST_MEMORY) {
      throw new IllegalArgumentException(
          "memory of %d bytes is not a multiple of 1 MiB up to %d bytes".formatted(memoryBytes, MOST_MEMORY));
    }
    if (vcpus < 1 || vcpus > MAX_VCPUS) {
      throw new IllegalArgumentException("%d vCPUs are not between 1 and %d".formatted(vcpus, MAX_VCPUS));
    }
    checkWord("machine type", machine);
    if (!isVersioned(machine)) {
      throw new IllegalArgumentException(
          "machine type '%s' is not the same in every QEMU; name one with a version, such as pc-i440fx-10.0 or pc-q35-10.0"
              .formatted(machine));
    }
    checkWord("CPU model", cpu);
    SpecMessages.check(disks, MAX_DISKS, nics, MAX_NICS);
    checkCdroms(disks, cdroms);
    if (arguments.size() > QemuArgument.MOST) {
      throw new IllegalArgumentException("%d further options of QEMU are more than %d".formatted(arguments.size(),
          QemuArgument.MOST));
    }
    if (boots.isEmpty() && disks.isEmpty()) {
      throw new IllegalArgumentException("a machine without a kernel and without a disk has nothing to boot");
    }
  }

  private static void checkCdroms(List<DiskDescription> disks, List<String> cdroms) {
    if (cdroms.size() > MAX_CDROMS) {
      throw new IllegalArgumentException("%d CD-ROMs are more than %d".formatted(cdroms.size(), MAX_CDROMS));
    }
    for (String each : cdroms) {
      DiskDescription disk = disks.stream().filter(it -> it.name().equals(each)).findFirst()
          .orElseThrow(() -> new IllegalArgumentException("CD-ROM %s is not one of the VM's disks".formatted(each)));
      if (disk.format() != DiskFormat.RAW) {
        throw new IllegalArgumentException("disk %s is a fixed VHD, and a CD-ROM is a raw image".formatted(each));
      }
    }
  }

  boolean isCdrom(DiskDescription disk) {
    return cdroms.contains(disk.name());
  }

  /** Devices that an operator adds may write to RAM as soon as they are there, such as {@code loader}. */
  @Override
  public boolean startsBesidePages() {
    return arguments.isEmpty();
  }

  @Override
  public boolean outlivesAgents() {
    return true;
  }

  /** @throws IOException if the machine would not be the same on another host */
  void requireMovable() throws IOException {
    if (AS_THE_HOST.contains(cpu)) {
      throw new IOException(
          "VM %s has the CPU model '%s', which differs from host to host; one with a model such as %s can be moved"
              .formatted(name, cpu, "qemu64 or Skylake-Client-v1"));
    }
  }

  /** Whether a type of machine is the same in every QEMU that has it. */
  static boolean isVersioned(String machine) {
    return VERSIONED.matcher(machine).matches();
  }

  private static void checkWord(String what, String text) {
    if (!WORD.matcher(text).matches()) {
      throw new IllegalArgumentException("'%s' is not a valid %s".formatted(text, what));
    }
  }

  /** @throws IllegalArgumentException naming the value that no machine can have */
  static QemuSpec of(VmSpec message) {
    QemuMachine machine = message.getQemu();
    return new QemuSpec(new VmId(message.getId()), Names.check("VM name", message.getName()),
        message.getMemoryBytes(), message.getVcpus(), machine.getMachine(), machine.getCpu(),
        Accelerator.of(machine.getAccel()), uefiOf(machine), bootOf(machine),
        message.getDisksList().stream().map(SpecMessages::fromProto).toList(), machine.getCdromsList(),
        message.getNicsList().stream().map(SpecMessages::fromProto).toList(),
        machine.getArgumentsList().stream().map(QemuArgument::parse).toList());
  }

  private static Optional<UefiFirmware> uefiOf(QemuMachine machine) {
    return machine.hasUefi()
        ? Optional.of(new UefiFirmware(machine.getUefi().getCodeBytes(), machine.getUefi().getVariablesBytes()))
        : Optional.empty();
  }

  private static Optional<DirectKernel> bootOf(QemuMachine machine) {
    if (!machine.getKernel().isEmpty()) {
      return Optional.of(new DirectKernel(Path.of(machine.getKernel()),
          machine.hasInitrd() ? Optional.of(Path.of(machine.getInitrd())) : Optional.empty(), machine.getAppend()));
    }
    if (machine.hasInitrd() || !machine.getAppend().isEmpty()) {
      throw new IllegalArgumentException("an initial RAM disk and a command line are for a kernel, and none is given");
    }
    return Optional.empty();
  }

  @Override
  public long pageCount() {
    return PageSize.pagesFor(memoryBytes);
  }

  @Override
  public VmSpec toMessage() {
    QemuMachine.Builder own = QemuMachine.newBuilder().setMachine(machine).setCpu(cpu).setAccel(accelerator.toMessage())
        .addAllCdroms(cdroms).addAllArguments(arguments.stream().map(QemuArgument::toString).toList());
    uefi.ifPresent(each -> own.setUefi(dev.pageferry.proto.agent.v1.UefiFirmware.newBuilder()
        .setCodeBytes(each.codeBytes()).setVariablesBytes(each.variablesBytes())));
    boots.ifPresent(boot -> {
      own.setKernel(boot.kernel().toString()).setAppend(boot.append());
      boot.initrd().ifPresent(each -> own.setInitrd(each.toString()));
    });
    return VmSpec.newBuilder().setId(id.value()).setName(name).setMemoryBytes(memoryBytes).setVcpus(vcpus)
        .addAllDisks(disks.stream().map(SpecMessages::toProto).toList())
        .addAllNics(nics.stream().map(SpecMessages::toProto).toList()).setQemu(own).build();
  }
}
