package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import dev.pageferry.agent.disk.DiskFormat;
import dev.pageferry.common.packet.NetworkCard;
import java.util.ArrayList;
import java.util.List;

/**
 * The arguments for a machine's disks and network cards. All that they do goes to sockets of this agent. Each has a slot of the
 * PCI bus by its number, so that a guest finds it where it was.
 */
final class QemuDevices {
  private static final int FIRST_CARD_SLOT = 0x03;
  private static final int FIRST_DISK_SLOT = FIRST_CARD_SLOT + QemuSpec.MAX_NICS;
  /** Far longer than a QEMU is kept without an agent. */
  private static final int RECONNECT_SECONDS = 86400;
  private static final int SECTOR_BYTES = 512;
  private static final int HEADS = 16;
  private static final int SECTORS = 63;
  /** As far as the geometry of an IDE disk goes; what is larger is told by its size alone. */
  private static final int MOST_CYLINDERS = 16383;

  private QemuDevices() {
  }

  static List<String> of(QemuSpec spec, MachineFiles files) {
    List<String> argv = new ArrayList<>();
    for (int i = 0; i < spec.disks().size(); i++) {
      argv.addAll(disk(spec, i, files));
    }
    for (int i = 0; i < spec.nics().size(); i++) {
      argv.addAll(card(spec.nics().get(i), i, files));
    }
    return argv;
  }

  private static List<String> disk(QemuSpec spec, int number, MachineFiles files) {
    String node = "disk-" + number;
    JsonObject server = new JsonObject();
    server.addProperty("type", "unix");
    server.addProperty("path", files.disk(number).toString());
    JsonObject block = new JsonObject();
    block.addProperty("driver", "nbd");
    block.addProperty("node-name", node);
    // Requests wait for the next agent; one that is here and cannot carry them out says so.
    block.addProperty("reconnect-delay", RECONNECT_SECONDS);
    block.add("server", server);
    if (spec.isCdrom(spec.disks().get(number))) {
      block.addProperty("read-only", true);
      return List.of("-blockdev", block.toString(), "-device", cdrom(spec, number, node));
    }
    JsonObject disk = block;
    if (spec.disks().get(number).format() == DiskFormat.QCOW2) {
      block.addProperty("node-name", node + "-file");
      disk = new JsonObject();
      disk.addProperty("driver", "qcow2");
      disk.addProperty("node-name", node);
      disk.addProperty("file", node + "-file");
    }
    // A geometry that is given is not guessed from the disk, which is another host's to read while this machine waits for a
    // state. An error pauses the machine, which makes the request again when it goes on.
    long cylinders = Math.clamp(spec.disks().get(number).guestBytes() / SECTOR_BYTES / (HEADS * SECTORS), 1,
        MOST_CYLINDERS);
    String device = "virtio-blk-pci,id=virtio-%s,drive=%s,addr=0x%x,bootindex=%d,werror=stop,rerror=stop,cyls=%d,heads=%d,secs=%d"
        .formatted(node, node, FIRST_DISK_SLOT + number, number + 1, cylinders, HEADS, SECTORS);
    List<String> argv = new ArrayList<>(List.of("-blockdev", block.toString()));
    if (disk != block) {
      argv.addAll(List.of("-blockdev", disk.toString()));
    }
    argv.addAll(List.of("-device", device));
    return argv;
  }

  /** On IDE, whose driver every guest has, at the head of a bus of its own. */
  private static String cdrom(QemuSpec spec, int number, String node) {
    int bus = spec.cdroms().indexOf(spec.disks().get(number).name());
    return "ide-cd,id=cdrom-%d,drive=%s,bus=ide.%d,unit=0,bootindex=%d,werror=stop,rerror=stop".formatted(bus, node,
        bus,
        number + 1);
  }

  /**
   * Without a ROM to boot from, which would be one more block of memory; and without announcements by the guest, whose timer QEMU
   * 10.0 does without where none are asked for, and follows all the same when the card is reset: it crashes.
   */
  private static List<String> card(NetworkCard card, int number, MachineFiles files) {
    String name = "card-" + number;
    return List.of("-netdev",
        "stream,id=%s,server=on,addr.type=unix,addr.path=%s".formatted(name, QemuCommand.escaped(files.card(number))),
        "-device",
        "virtio-net-pci,id=virtio-%s,netdev=%s,mac=%s,addr=0x%x,romfile=,guest_announce=off".formatted(name, name,
            card.mac(),
            FIRST_CARD_SLOT + number));
  }
}
