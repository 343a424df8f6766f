package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What the kernel says of block devices (Linux, <i>Documentation/ABI/stable/sysfs-block</i> and <i>testing/sysfs-block-dm</i>).
 *
 * <pre>
 * NAME/wwid, NAME/device/wwid   the device's world wide id, where it has one (NVMe, SCSI)
 * NAME/partition                its number, of a partition; the directory is inside that of the whole device
 * NAME/dm/uuid                  of the device mapper; "mpath-..." is one LUN that is reached by several paths,
 * NAME/slaves/                  which are these
 * </pre>
 */
final class BlockDeviceIds {
  private static final List<String> WWIDS = List.of("wwid", "device/wwid");
  private static final String MULTIPATH = "mpath-";

  private final Path devices;

  /** @param devices the directory that has one entry for each block device */
  BlockDeviceIds(Path devices) {
    this.devices = devices;
  }

  /** The wwid of a whole device; empty if it has none. */
  String wwid(String name) throws IOException {
    return wwid(devices.resolve(name)).orElse("");
  }

  /** What a device is: its wwid, that of what it is a part of, or that of the paths that lead to it. */
  Optional<String> lun(String name) throws IOException {
    Path device = devices.resolve(name);
    Optional<String> partition = read(device.resolve("partition"));
    if (partition.isPresent()) {
      return wwid(device.toRealPath().resolveSibling(".").normalize()).map(whole -> whole + "-part" + partition.get());
    }
    if (read(device.resolve("dm/uuid")).filter(uuid -> uuid.startsWith(MULTIPATH)).isPresent()) {
      try (Stream<Path> paths = Files.list(device.resolve("slaves"))) {
        for (Path each : paths.sorted().toList()) {
          Optional<String> id = wwid(each);
          if (id.isPresent()) {
            return id;
          }
        }
      }
      return Optional.empty();
    }
    return wwid(device);
  }

  private static Optional<String> wwid(Path device) throws IOException {
    for (String each : WWIDS) {
      Optional<String> id = read(device.resolve(each)).filter(text -> !text.isEmpty());
      if (id.isPresent()) {
        return id;
      }
    }
    return Optional.empty();
  }

  /** Only what is not there is nothing: what cannot be read might make the device the same as another one. */
  private static Optional<String> read(Path file) throws IOException {
    try {
      return Optional.of(Files.readString(file).strip());
    } catch (NoSuchFileException | NotDirectoryException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw new DiskException("%s, which says which device this is, cannot be read: %s".formatted(file,
          StorageFiles.reason(e)), e);
    }
  }
}
