package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** The machine's files and block devices, as disks need them. */
public interface Devices {
  /** Those of this machine. */
  Devices SYSTEM = new Devices() {
    private final BlockDeviceIds blockDevices = new BlockDeviceIds(Path.of("/sys/class/block"));

    @Override
    public Optional<String> wwid(Path file) throws IOException {
      return RawIdentity.isBlockDevice(file) ? Optional.of(blockDevices.wwid(name(file))) : Optional.empty();
    }

    @Override
    public Optional<String> lun(Path file) throws IOException {
      return RawIdentity.isBlockDevice(file) ? blockDevices.lun(name(file)) : Optional.empty();
    }

    @Override
    public OpenDisk open(Path file, DiskFormat format) throws IOException {
      return DiskFile.open(file, format);
    }

    private static String name(Path device) throws IOException {
      return device.toRealPath().getFileName().toString();
    }
  };

  /** The wwid of a block device, empty if nothing is known of it; nothing for a file. */
  Optional<String> wwid(Path file) throws IOException;

  /**
   * What a block device is, the same under all its names and on all hosts that it is attached to; nothing for a file, and where
   * nothing is known.
   *
   * @throws IOException if there is something to know that cannot be read now
   */
  Optional<String> lun(Path file) throws IOException;

  /** Opens a disk for reading and writing. */
  OpenDisk open(Path file, DiskFormat format) throws IOException;
}
