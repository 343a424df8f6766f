package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.common.identity.Names;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.agent.v1.QemuMachine;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The configuration of a QEMU machine.
 *
 * @param memoryBytes RAM, a multiple of 1 MiB
 * @param machine its type, with a version
 * @param cpu model
 * @param kernel that it boots, a path on the host
 */
record QemuSpec(VmId id, String name, long memoryBytes, int vcpus, String machine, String cpu, Path kernel,
    Optional<Path> initrd, String append) implements GuestSpec {
  /** The state of more may not fit into one message. */
  static final int MAX_VCPUS = 16;
  private static final long MIB = 1L << 20;
  private static final long MOST_MEMORY = 1L << 40;
  /** What goes between the commas of an option's value, and needs no escape there. */
  private static final Pattern WORD = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._+-]{0,63}");
  private static final int LONGEST_APPEND = 2047;

  QemuSpec {
    if (memoryBytes < MIB || memoryBytes % MIB != 0 || memoryBytes > MOST_MEMORY) {
      throw new IllegalArgumentException(
          "memory of %d bytes is not a multiple of 1 MiB up to %d bytes".formatted(memoryBytes, MOST_MEMORY));
    }
    if (vcpus < 1 || vcpus > MAX_VCPUS) {
      throw new IllegalArgumentException("%d vCPUs are not between 1 and %d".formatted(vcpus, MAX_VCPUS));
    }
    checkWord("machine type", machine);
    checkWord("CPU model", cpu);
    checkPath("kernel", kernel);
    initrd.ifPresent(each -> checkPath("initial RAM disk", each));
    if (append.length() > LONGEST_APPEND || append.chars().anyMatch(c -> c < ' ')) {
      throw new IllegalArgumentException(
          "a kernel command line of %d characters is longer than %d, or has control characters".formatted(
              append.length(), LONGEST_APPEND));
    }
  }

  private static void checkWord(String what, String text) {
    if (!WORD.matcher(text).matches()) {
      throw new IllegalArgumentException("'%s' is not a valid %s".formatted(text, what));
    }
  }

  private static void checkPath(String what, Path path) {
    if (!path.isAbsolute() || !path.normalize().equals(path)) {
      throw new IllegalArgumentException("the path '%s' of the %s is not absolute".formatted(path, what));
    }
  }

  /** @throws IllegalArgumentException naming the value that no machine can have */
  static QemuSpec of(VmSpec message) {
    if (message.getDisksCount() > 0 || message.getNicsCount() > 0) {
      throw new IllegalArgumentException("machines of QEMU have no disks and no network cards here yet");
    }
    QemuMachine machine = message.getQemu();
    return new QemuSpec(new VmId(message.getId()), Names.check("VM name", message.getName()),
        message.getMemoryBytes(), message.getVcpus(), machine.getMachine(), machine.getCpu(),
        Path.of(machine.getKernel()),
        machine.hasInitrd() ? Optional.of(Path.of(machine.getInitrd())) : Optional.empty(), machine.getAppend());
  }

  @Override
  public List<DiskDescription> disks() {
    return List.of();
  }

  @Override
  public List<NetworkCard> nics() {
    return List.of();
  }

  @Override
  public long pageCount() {
    return PageSize.pagesFor(memoryBytes);
  }

  @Override
  public VmSpec toMessage() {
    QemuMachine.Builder own = QemuMachine.newBuilder().setMachine(machine).setCpu(cpu).setKernel(kernel.toString())
        .setAppend(append);
    initrd.ifPresent(each -> own.setInitrd(each.toString()));
    return VmSpec.newBuilder().setId(id.value()).setName(name).setMemoryBytes(memoryBytes).setVcpus(vcpus)
        .setQemu(own).build();
  }
}
