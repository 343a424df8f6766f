package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** What tells raw disks apart, which have no place to write an identity: inodes of files, wwids of devices. */
final class RawIdentity {
  private static final int TYPE_MASK = 0xF000;
  private static final int BLOCK_DEVICE = 0x6000;

  /** Beside a disk that came from other storage: its file's own identity, and the one that it brought with it. */
  private static final String BROUGHT = ".identity";

  private RawIdentity() {
  }

  /** The same on every host that has the file system mounted, or the device attached; empty if nothing is known. */
  static String of(Path file, Devices devices) throws IOException {
    Optional<String> wwid = devices.wwid(file);
    return wwid.isPresent() ? wwid.get() : inode(file);
  }

  private static String inode(Path file) throws IOException {
    return "inode-" + Files.getAttribute(file, "unix:ino");
  }

  /** For a disk on shared storage: one that came from other storage keeps the identity that it had there. */
  static String ofDisk(Path file) throws IOException {
    String own = inode(file);
    return brought(file, own).findFirst().map(line -> line.substring(own.length() + 1)).orElse(own);
  }

  /** Lines of a file's own identity, each with the one that it brought. */
  private static Stream<String> brought(Path disk, String own) throws IOException {
    try {
      return Files.readAllLines(beside(disk)).stream().filter(line -> line.startsWith(own + " "));
    } catch (NoSuchFileException e) {
      return Stream.empty();
    }
  }

  /**
   * Lets a file, once it has its disk's name, be the disk of that identity. What has the name so far stays what it is.
   *
   * @param file as it is called by now; it keeps its inode
   * @param disk what it is going to be called
   */
  static void bring(Path file, Path disk, String identity) throws IOException {
    List<String> lines = new ArrayList<>(Files.exists(disk) ? brought(disk, inode(disk)).toList() : List.of());
    String line = inode(file) + " " + identity;
    if (!lines.contains(line)) {
      lines.add(line);
    }
    Path beingMade = disk.resolveSibling(disk.getFileName() + BROUGHT + ".being-made");
    Files.write(beingMade, lines);
    try (FileChannel made = FileChannel.open(beingMade, StandardOpenOption.WRITE)) {
      made.force(true);
    }
    Files.move(beingMade, beside(disk), StandardCopyOption.ATOMIC_MOVE);
    StorageFiles.syncDirectory(beingMade.resolveSibling("."));
  }

  static void forget(Path disk) throws IOException {
    Files.deleteIfExists(beside(disk));
  }

  private static Path beside(Path disk) {
    return disk.resolveSibling(disk.getFileName() + BROUGHT);
  }

  /**
   * Refuses what is neither a file nor a block device.
   *
   * @return the path, links resolved
   */
  static Path checkPassThrough(Path path) throws IOException {
    if (!Files.exists(path)) {
      throw new NoSuchFileException(path.toString(), null, "%s is not there on this host".formatted(path));
    }
    if (!Files.isRegularFile(path) && !isBlockDevice(path)) {
      throw new DiskException("%s is neither a file nor a block device".formatted(path));
    }
    if (Files.isRegularFile(path) && (int) Files.getAttribute(path, "unix:nlink") > 1) {
      // Its leases go by its path: under another name it would be another disk.
      throw new DiskException("%s has more names than one (hard links); remove the others".formatted(path));
    }
    return path.toRealPath();
  }

  static boolean isBlockDevice(Path path) throws IOException {
    return ((int) Files.getAttribute(path, "unix:mode") & TYPE_MASK) == BLOCK_DEVICE;
  }
}
