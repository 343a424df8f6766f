package dev.pageferry.agent.disk;

import dev.pageferry.common.identity.Names;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Which files in a directory are disks, by their names.
 *
 * @param directory need not exist
 */
record DiskNames(Path directory) {
  Path path(String name, DiskFormat format) {
    return directory.resolve(Names.check("disk name", name) + suffix(format));
  }

  static String suffix(DiskFormat format) {
    return "." + format.name().toLowerCase(Locale.ROOT);
  }

  static String nameOf(Path file, DiskFormat format) {
    String fileName = file.getFileName().toString();
    return fileName.substring(0, fileName.length() - suffix(format).length());
  }

  static Optional<DiskFormat> format(Path file) {
    return Stream.of(DiskFormat.values()).filter(format -> file.getFileName().toString().endsWith(suffix(format)))
        .findFirst();
  }

  /** Names of disks that are the given file. */
  List<Path> namesOf(Path file) throws IOException {
    Object key = Files.readAttributes(file, BasicFileAttributes.class).fileKey();
    List<Path> same = new ArrayList<>();
    if (!Files.isDirectory(directory)) {
      return same;
    }
    try (Stream<Path> files = Files.list(directory)) {
      for (Path each : files.toList()) {
        if (format(each).isPresent()
            && attributes(each).filter(its -> Objects.equals(its.fileKey(), key)).isPresent()) {
          same.add(each);
        }
      }
    }
    return same;
  }

  /** The file of the disk of that name, sound or not. */
  Optional<Path> find(String name) throws IOException {
    for (DiskFormat each : DiskFormat.values()) {
      Path file = path(name, each);
      if (attributes(file).isPresent()) {
        return Optional.of(file);
      }
    }
    return Optional.empty();
  }

  /** @throws IOException if it is not known whether the file is there; that is not the same as its absence */
  private static Optional<BasicFileAttributes> attributes(Path file) throws IOException {
    try {
      return Optional.of(Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (FileSystemException e) {
      throw StorageFiles.failure(file, "looked at", e);
    }
  }
}
