package dev.pageferry.agent.guest;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.disk.DiskFormat;
import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.proto.agent.v1.Disk;
import java.util.List;

/** The parts of a specification that all machines have as messages, and back, with everything a peer may get wrong checked. */
public final class SpecMessages {
  private SpecMessages() {
  }

  /** @throws IllegalArgumentException if there are too many, or one is named twice */
  public static void check(List<DiskDescription> disks, int mostDisks, List<NetworkCard> nics, int mostNics) {
    check("network card", nics.stream().map(NetworkCard::toString).toList(), mostNics);
    check("disk", disks.stream().map(DiskDescription::name).toList(), mostDisks);
  }

  private static void check(String what, List<String> names, int most) {
    if (names.size() > most) {
      throw new IllegalArgumentException("%d %ss are more than %d".formatted(names.size(), what, most));
    }
    if (names.stream().distinct().count() < names.size()) {
      throw new IllegalArgumentException("a %s is named twice: %s".formatted(what, String.join(", ", names)));
    }
  }

  public static dev.pageferry.proto.agent.v1.NetworkCard toProto(NetworkCard nic) {
    return dev.pageferry.proto.agent.v1.NetworkCard.newBuilder().setMac(nic.mac().toString()).setVni(nic.vni())
        .setAddress(nic.address().toString()).build();
  }

  /** @throws IllegalArgumentException naming what no card can have */
  public static NetworkCard fromProto(dev.pageferry.proto.agent.v1.NetworkCard message) {
    return new NetworkCard(MacAddress.parse(message.getMac()), message.getVni(),
        Ipv4Address.parse(message.getAddress()));
  }

  public static Disk toProto(DiskDescription disk) {
    Disk.Builder message = Disk.newBuilder().setName(disk.name()).setFormat(Disk.Format.valueOf(disk.format().name()))
        .setSizeBytes(disk.sizeBytes()).setIdentity(disk.identity());
    if (disk.guestBytes() != disk.sizeBytes()) {
      message.setGuestSizeBytes(disk.guestBytes());
    }
    return message.build();
  }

  /** @throws IllegalArgumentException naming what no disk can have */
  public static DiskDescription fromProto(Disk message) {
    return new DiskDescription(message.getName(), formatFromProto(message.getFormat()), message.getSizeBytes(),
        message.getIdentity(), message.hasGuestSizeBytes() ? message.getGuestSizeBytes() : message.getSizeBytes());
  }

  /** @throws IllegalArgumentException if the format is unknown */
  public static DiskFormat formatFromProto(Disk.Format format) {
    return switch (format) {
      case VHD -> DiskFormat.VHD;
      case RAW -> DiskFormat.RAW;
      case QCOW2 -> DiskFormat.QCOW2;
      case FORMAT_UNSPECIFIED, UNRECOGNIZED -> throw new IllegalArgumentException("a disk without a format");
    };
  }
}
