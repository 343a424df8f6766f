package dev.pageferry.agent.migration;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.disk.DiskFormat;
import dev.pageferry.agent.guest.builtin.MachineState;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.Registers;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.common.identity.Names;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.migration.v1.SavedStateHeader;
import dev.pageferry.proto.migration.v1.Vcpu;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Configuration and state of a guest as messages, and back, with everything a peer may get wrong checked. */
public final class SpecMessages {
  private SpecMessages() {
  }

  public static dev.pageferry.proto.agent.v1.VmSpec toProto(VmSpec spec) {
    var message = dev.pageferry.proto.agent.v1.VmSpec.newBuilder().setId(spec.id().value()).setName(spec.name())
        .setMemoryBytes(spec.memoryBytes()).setVcpus(spec.vcpus()).setProgram(spec.program().name())
        .putAllProgramArgs(spec.program().arguments());
    spec.image().ifPresent(image -> message.setMemoryImage(image.toString()));
    spec.imageSha256().ifPresent(message::setMemoryImageSha256);
    spec.disks().forEach(disk -> message.addDisks(toProto(disk)));
    spec.nics().forEach(nic -> message.addNics(toProto(nic)));
    return message.build();
  }

  /** @throws IllegalArgumentException naming the value that no VM can have */
  public static VmSpec fromProto(dev.pageferry.proto.agent.v1.VmSpec message) {
    VmSpec.checkMemory(message.getMemoryBytes(), message.getVcpus());
    ProgramSpec program = new ProgramSpec(message.getProgram(), message.getProgramArgsMap(),
        VmSpec.programBytes(message.getMemoryBytes(), message.getNicsCount()), message.getVcpus());
    return new VmSpec(new VmId(message.getId()), Names.check("VM name", message.getName()), message.getMemoryBytes(),
        message.getVcpus(), program,
        message.hasMemoryImage() ? Optional.of(Path.of(message.getMemoryImage())) : Optional.empty(),
        message.hasMemoryImageSha256() ? Optional.of(message.getMemoryImageSha256()) : Optional.empty(),
        message.getDisksList().stream().map(SpecMessages::fromProto).toList(),
        message.getNicsList().stream().map(SpecMessages::fromProto).toList());
  }

  private static dev.pageferry.proto.agent.v1.NetworkCard toProto(NetworkCard nic) {
    return dev.pageferry.proto.agent.v1.NetworkCard.newBuilder().setMac(nic.mac().toString()).setVni(nic.vni())
        .setAddress(nic.address().toString()).build();
  }

  private static NetworkCard fromProto(dev.pageferry.proto.agent.v1.NetworkCard message) {
    return new NetworkCard(MacAddress.parse(message.getMac()), message.getVni(),
        Ipv4Address.parse(message.getAddress()));
  }

  public static Disk toProto(DiskDescription disk) {
    return Disk.newBuilder().setName(disk.name()).setFormat(Disk.Format.valueOf(disk.format().name()))
        .setSizeBytes(disk.sizeBytes()).setIdentity(disk.identity()).build();
  }

  private static DiskDescription fromProto(Disk message) {
    return new DiskDescription(message.getName(), formatFromProto(message.getFormat()), message.getSizeBytes(),
        message.getIdentity());
  }

  /** @throws IllegalArgumentException if there is no such format */
  public static DiskFormat formatFromProto(Disk.Format format) {
    return switch (format) {
      case VHD -> DiskFormat.VHD;
      case RAW -> DiskFormat.RAW;
      case FORMAT_UNSPECIFIED, UNRECOGNIZED -> throw new IllegalArgumentException("a disk without a format");
    };
  }

  public static dev.pageferry.proto.migration.v1.GuestState toProto(MachineState state, int lastRound, long digest,
      boolean operatorPaused) {
    var message = dev.pageferry.proto.migration.v1.GuestState.newBuilder().setLastRound(lastRound).setPageDigest(digest)
        .setOperatorPaused(operatorPaused);
    for (Registers each : state.vcpus()) {
      Vcpu.Builder vcpu = Vcpu.newBuilder();
      for (long value : each.toArray()) {
        vcpu.addRegisters(value);
      }
      message.addVcpus(vcpu);
    }
    return message.build();
  }

  /** @throws IllegalArgumentException if a register file is not one */
  public static MachineState fromProto(dev.pageferry.proto.migration.v1.GuestState message) {
    return fromProto(message.getVcpusList());
  }

  /** What a saved state holds beside pages. */
  public static SavedStateHeader toHeader(VmSpec spec, OwnershipEpoch epoch, MachineState state, boolean operatorPaused) {
    return SavedStateHeader.newBuilder().setSpec(toProto(spec)).setEpoch(epoch.value())
        .addAllVcpus(toProto(state, 0, 0, operatorPaused).getVcpusList()).setOperatorPaused(operatorPaused).build();
  }

  /** @throws IllegalArgumentException if a register file is not one */
  public static MachineState fromProto(List<Vcpu> messages) {
    List<Registers> vcpus = new ArrayList<>();
    for (Vcpu each : messages) {
      vcpus.add(new Registers(each.getRegistersList().stream().mapToLong(Long::longValue).toArray()));
    }
    return new MachineState(vcpus);
  }
}
