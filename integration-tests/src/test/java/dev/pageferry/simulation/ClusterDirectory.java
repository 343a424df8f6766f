package dev.pageferry.simulation;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** A directory with the names of disks, of which a simulated storage has the contents; and with states of saved VMs. One world at a time. */
final class ClusterDirectory {
  private final Path path;

  /** @param disks names of those that may be used */
  ClusterDirectory(Path path, List<String> disks) {
    this.path = path;
    try {
      Files.writeString(path.resolve("pageferry-storage"), "storage-1\n");
      Files.createDirectories(saved());
      Path there = Files.createDirectories(path.resolve("disks"));
      for (String each : disks) {
        try (RandomAccessFile file = new RandomAccessFile(there.resolve(each + ".raw").toFile(), "rw")) {
          file.setLength(SimulatedDisk.BYTES);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** For states of saved VMs. */
  Path saved() {
    return path.resolve("saved");
  }

  Path path() {
    return path;
  }

  /** Forgets what a world has left. */
  void clean() {
    try (Stream<Path> left = Files.list(saved())) {
      for (Path each : left.toList()) {
        Files.delete(each);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
