package dev.pageferry.agent.disk;

import dev.pageferry.common.identity.Names;
import dev.pageferry.common.units.ByteSize;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * The disks on shared storage: {@code disks/NAME.vhd} and {@code disks/NAME.raw} in the directory that every host mounts.
 * A disk appears under its name complete or not at all, and a file that exists is never written over; only
 * {@link DiskCopies} lets the newer copy of a disk stand in for an older one.
 */
public final class DiskDirectory {
  private static final String BEING_MADE = ".being-made";

  private final Path storage;
  private final Path directory;
  private final DiskNames names;
  private final Clock clock;
  private final Devices devices;
  private final AllowedPaths passThrough;

  /** @param storage the directory that every host mounts; it exists */
  public DiskDirectory(Path storage, Clock clock) {
    this(storage, clock, Devices.SYSTEM, AllowedPaths.ANY);
  }

  /** @param passThrough raw files and devices that operators may name */
  DiskDirectory(Path storage, Clock clock, Devices devices, AllowedPaths passThrough) {
    this.passThrough = passThrough;
    this.storage = storage;
    this.directory = storage.resolve("disks");
    this.names = new DiskNames(directory);
    this.clock = clock;
    this.devices = devices;
  }

  /**
   * Makes a disk of zeros, which takes no room on storage until it is written.
   *
   * @param sizeBytes a positive multiple of 512; a VHD has at most 2040 GiB
   * @throws DiskExistsException if it exists
   * @throws DiskException if it cannot have that size
   */
  public DiskDescription create(String name, DiskFormat format, long sizeBytes) throws IOException {
    checkSize(format, sizeBytes);
    Files.createDirectories(directory);
    Optional<Path> existing = names.find(name);
    if (existing.isPresent()) {
      throw new DiskExistsException("disk %s exists already: %s".formatted(name, existing.get()));
    }
    Path beingMade = directory.resolve("%s.%s%s".formatted(name, UUID.randomUUID(), BEING_MADE));
    try {
      try {
        make(beingMade, format, sizeBytes, UUID.randomUUID());
      } catch (IOException e) {
        throw new DiskException("disk %s of %s cannot be made: %s".formatted(name, ByteSize.format(sizeBytes),
            StorageFiles.reason(e)), e);
      }
      nameIt(beingMade, name, format);
    } finally {
      Files.deleteIfExists(beingMade);
    }
    return show(name);
  }

  /** Gives a file its disk's name. A link, unlike a rename, never takes the place of a file that another host has made. */
  private void nameIt(Path file, String name, DiskFormat format) throws IOException {
    Path target = names.path(name, format);
    try {
      Files.createLink(target, file);
    } catch (FileAlreadyExistsException e) {
      throw new DiskExistsException("disk %s exists already: %s".formatted(name, target));
    }
    syncDirectory();
  }

  /** Makes the file of a disk that is to come from other storage, zeros so far, in a directory of its own. */
  Path makeIncoming(Path beside, DiskDescription disk) throws IOException {
    checkSize(disk.format(), disk.sizeBytes());
    Path file = incoming(beside, disk);
    switch (disk.format()) {
      case VHD -> make(file, disk.format(), disk.sizeBytes(), UUID.fromString(disk.identity()));
      case RAW -> {
        make(file, disk.format(), disk.sizeBytes(), UUID.randomUUID());
        RawIdentity.bring(file, file, disk.identity());
      }
      case QCOW2 -> throw new DiskException(
          "disk %s is qcow2, which is not copied from other storage; convert it to raw (qemu-img convert)".formatted(
              disk.name()));
    }
    return file;
  }

  /** What stands under the name of a disk that came, before that one gets it. */
  enum Place {
    FREE,
    /** A copy for which it stands in. */
    REPLACED,
    /** It itself: it got its name in an attempt before, and not more. */
    TAKEN_BY_ITSELF
  }

  /** Makes a file that came from other storage the disk. */
  void promote(Path beside, DiskDescription disk, Place place) throws IOException {
    Files.createDirectories(directory);
    Path file = incoming(beside, disk);
    Path target = names.path(disk.name(), disk.format());
    if (disk.format() == DiskFormat.RAW) {
      RawIdentity.bring(file, target, disk.identity());
    }
    switch (place) {
      case REPLACED -> {
        Files.move(file, target, StandardCopyOption.ATOMIC_MOVE);
        syncDirectory();
      }
      case FREE -> {
        nameIt(file, disk.name(), disk.format());
        Files.delete(file);
      }
      case TAKEN_BY_ITSELF -> {
        syncDirectory();
        Files.delete(file);
      }
    }
  }

  private static Path incoming(Path beside, DiskDescription disk) {
    return beside.resolve(disk.name() + DiskNames.suffix(disk.format()));
  }

  /** Whether the file that came has its name already. */
  boolean isItself(Path beside, DiskDescription disk) throws IOException {
    Path target = names.path(disk.name(), disk.format());
    return Files.exists(target) && Files.isSameFile(target, incoming(beside, disk));
  }

  /**
   * The disks in a directory of their own.
   *
   * @throws DiskException if one of them is damaged
   */
  static List<DiskDescription> allIn(Path directory) throws IOException {
    List<DiskDescription> disks = new ArrayList<>();
    try (Stream<Path> files = Files.list(directory)) {
      for (Path each : files.toList()) {
        Optional<DiskFormat> format = DiskNames.format(each);
        if (format.isPresent()) {
          disks.add(DiskFile.describe(DiskNames.nameOf(each, format.get()), each, format.get()));
        }
      }
    }
    return disks;
  }

  /** Whether there is a disk of that name, sound or not. */
  boolean exists(String name) throws IOException {
    return names.find(name).isPresent();
  }

  private static void checkSize(DiskFormat format, long sizeBytes) throws DiskException {
    if (sizeBytes <= 0 || sizeBytes % VhdFooter.SECTOR_BYTES != 0) {
      throw new DiskException(
          "a disk of %d bytes is not a positive number of sectors of 512 bytes".formatted(sizeBytes));
    }
    if (format == DiskFormat.VHD && sizeBytes > VhdFooter.MAX_SIZE_BYTES) {
      throw new DiskException("a VHD has at most %d bytes (%dGiB), %d asked for; use raw".formatted(
          VhdFooter.MAX_SIZE_BYTES, VhdFooter.MAX_SIZE_BYTES >> 30, sizeBytes));
    }
    if (format == DiskFormat.QCOW2 && sizeBytes > Qcow2Header.MAX_GUEST_BYTES) {
      throw new DiskException("a qcow2 disk has at most %dGiB here, %d bytes asked for; use raw".formatted(
          Qcow2Header.MAX_GUEST_BYTES >> 30, sizeBytes));
    }
  }

  private void make(Path file, DiskFormat format, long sizeBytes, UUID id) throws IOException {
    Files.createFile(file);
    try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
      switch (format) {
        case RAW -> made.setLength(sizeBytes);
        case VHD -> {
          made.setLength(sizeBytes);
          made.seek(sizeBytes);
          made.write(new VhdFooter(sizeBytes, id, clock.instant()).encode().array());
        }
        case QCOW2 -> made.write(Qcow2Header.empty(sizeBytes).array());
      }
      made.getFD().sync();
    }
  }

  /** All disks, by name. A file that is damaged, cannot be read or is no disk is left out; {@link #show} says what is wrong with it. */
  public List<DiskDescription> list() throws IOException {
    if (!Files.isDirectory(directory)) {
      return List.of();
    }
    List<DiskDescription> disks = new ArrayList<>();
    try (Stream<Path> files = Files.list(directory)) {
      for (Path each : files.toList()) {
        sound(each).ifPresent(disks::add);
      }
    }
    disks.sort(Comparator.comparing(DiskDescription::name));
    return disks;
  }

  private static Optional<DiskDescription> sound(Path file) {
    Optional<DiskFormat> format = DiskNames.format(file);
    // A link leads who knows where, and to open a pipe may take for ever.
    if (format.isEmpty() || !Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      return Optional.empty();
    }
    try {
      return Optional.of(DiskFile.describe(DiskNames.nameOf(file, format.get()), file, format.get()));
    } catch (IOException | IllegalArgumentException e) {
      // One that cannot be read does not hide the others.
      return Optional.empty();
    }
  }

  /**
   * A disk by its name, or by the absolute path of a raw file or block device.
   *
   * @throws NoSuchFileException if there is no such disk
   */
  public DiskDescription show(String name) throws IOException {
    Path file = existing(name);
    if (DiskDescription.isPath(name)) {
      passThrough.require(file);
    }
    // By its real path, so that links to one file or device give it one name.
    return DiskDescription.isPath(name)
        ? DiskFile.describePassedThrough(file, RawIdentity.of(file, devices))
        : DiskFile.describe(name, file, formatOf(file));
  }

  /**
   * Deletes a disk and all that is on it. A file or device that is passed through is not ours to delete.
   *
   * @throws NoSuchFileException if there is no such disk
   */
  public void delete(String name) throws IOException {
    Path file = existing(requireNamed(name));
    Files.delete(file);
    RawIdentity.forget(file);
    syncDirectory();
  }

  /** What a disk that is passed through is, whatever it is called; empty for one that only its name tells. */
  public Optional<String> device(String name) throws IOException {
    return DiskDescription.isPath(name) ? devices.lun(existing(name)) : Optional.empty();
  }

  /** Refuses what is not on the shared storage by its name. */
  static String requireNamed(String name) throws DiskException {
    if (DiskDescription.isPath(name)) {
      throw new DiskException("%s is passed through by its path, and not deleted here".formatted(name));
    }
    return Names.check("disk name", name);
  }

  /** Opens a disk; the caller has seen to it that nobody else writes it. */
  OpenDisk open(String name) throws IOException {
    Path file = existing(name);
    return devices.open(file, formatOf(file));
  }

  /** Opens a disk for reading, beside whoever writes it. */
  public DiskReader reader(String name) throws IOException {
    Path file = existing(name);
    return DiskReader.open(file, formatOf(file));
  }

  private Path existing(String name) throws IOException {
    if (DiskDescription.isPath(name)) {
      Path file = RawIdentity.checkPassThrough(Path.of(name));
      if (file.startsWith(storage.toRealPath())) {
        throw new DiskException("%s is on the shared storage; name the disk, do not pass its file through".formatted(
            file));
      }
      Optional<Path> named = names.namesOf(file).stream().findFirst();
      if (named.isPresent()) {
        // The same file system, mounted in another place, too.
        throw new DiskException("%s is disk file %s of the shared storage; name the disk, do not pass its file through"
            .formatted(file, named.get().getFileName()));
      }
      return file;
    }
    Path file = names.find(name)
        .orElseThrow(() -> new NoSuchFileException(names.path(name, DiskFormat.VHD).toString(), null,
            "disk %s does not exist on this storage".formatted(name)));
    if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      throw new DiskException("%s is not a regular file, and no disk".formatted(file));
    }
    if ((int) Files.getAttribute(file, "unix:nlink") > 1) {
      // Its lease goes by its name: under another name it would be another disk.
      Optional<Path> second = names.namesOf(file).stream().filter(each -> !each.equals(file)).findFirst();
      if (second.isPresent()) {
        throw new DiskException("disk file %s has a second name, %s (hard links); remove one of them".formatted(file,
            second.get().getFileName()));
      }
    }
    return file;
  }

  /** What is passed through by its path is raw, whatever it is called. */
  private DiskFormat formatOf(Path file) {
    return directory.equals(file.getParent()) ? DiskNames.format(file).orElse(DiskFormat.RAW) : DiskFormat.RAW;
  }

  private void syncDirectory() throws IOException {
    StorageFiles.syncDirectory(directory);
  }
}
