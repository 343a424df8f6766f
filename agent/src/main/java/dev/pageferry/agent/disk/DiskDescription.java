package dev.pageferry.agent.disk;

import dev.pageferry.common.identity.Names;

/**
 * Which disk a VM has.
 *
 * @param name its name on shared storage, or the absolute path of a raw file or block device that is passed through
 * @param sizeBytes that are read and written: as a guest sees it; of qcow2, which guests do not see, all that the file may become
 * @param identity what tells it from another one of that name: a VHD's unique id, a raw file's inode, a device's wwid;
 *     empty where there is nothing
 * @param guestBytes as a guest sees it
 */
public record DiskDescription(String name, DiskFormat format, long sizeBytes, String identity, long guestBytes) {
  /** One whose bytes a guest sees as they are. */
  public DiskDescription(String name, DiskFormat format, long sizeBytes, String identity) {
    this(name, format, sizeBytes, identity, sizeBytes);
  }

  public DiskDescription {
    if (!isPath(name)) {
      Names.check("disk name", name);
    } else if (format != DiskFormat.RAW) {
      throw new IllegalArgumentException("disk %s is a path, and only raw ones are passed through".formatted(name));
    }
    if (sizeBytes <= 0 || guestBytes <= 0) {
      throw new IllegalArgumentException("disk %s has %d bytes".formatted(name, Math.min(sizeBytes, guestBytes)));
    }
  }

  static boolean isPath(String name) {
    return name.startsWith("/");
  }

  /**
   * Refuses a disk that is another one than this, whatever it is called.
   *
   * @throws DiskException with both
   */
  void verifySame(DiskDescription found) throws DiskException {
    if (!equals(found)) {
      throw new DiskException("disk %s is not the one that the VM has: format=%s size=%d identity=%s, expected %s %d %s"
          .formatted(name, found.format, found.guestBytes, found.identity, format, guestBytes, identity));
    }
  }
}
