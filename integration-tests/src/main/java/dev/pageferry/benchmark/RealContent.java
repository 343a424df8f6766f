package dev.pageferry.benchmark;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * A disk full of the files of this machine: programs, libraries, the Java class library. What is left after them is random.
 *
 * @param name of the disk
 * @param file where it is on the hosts' storage
 */
record RealContent(String name, Path file) {
  private static final int CHUNK_BYTES = 1 << 20;
  private static final long SEED = 11;

  /** Makes a directory for disks, without what an earlier one left. */
  static void emptyDirectory(Path directory) {
    try {
      if (Files.isDirectory(directory)) {
        try (Stream<Path> all = Files.walk(directory)) {
          for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
            Files.delete(each);
          }
        }
      }
      Files.createDirectories(directory);
    } catch (IOException e) {
      throw new BenchmarkException(directory + ": " + e.getMessage(), e);
    }
  }

  /** Fills a disk that is there. */
  void fill() {
    try (FileChannel disk = FileChannel.open(file, StandardOpenOption.WRITE)) {
      long size = Files.size(file);
      for (Path top : List.of(Path.of(System.getProperty("java.home"), "lib"), Path.of("/usr/bin"),
          Path.of("/usr/lib"))) {
        if (Files.isDirectory(top) && disk.position() < size) {
          Files.walkFileTree(top, new Copy(disk, size));
        }
      }
      SplitMix words = new SplitMix(SEED);
      ByteBuffer chunk = ByteBuffer.allocate(CHUNK_BYTES);
      while (disk.position() < size) {
        chunk.clear().limit((int) Math.min(CHUNK_BYTES, size - disk.position()));
        while (chunk.remaining() >= Long.BYTES) {
          chunk.putLong(words.next());
        }
        chunk.flip();
        while (chunk.hasRemaining()) {
          disk.write(chunk);
        }
      }
      disk.force(true);
    } catch (IOException e) {
      throw new BenchmarkException(file + ": " + e.getMessage(), e);
    }
  }

  /** Appends each regular file that can be read, up to a size. */
  private static final class Copy extends SimpleFileVisitor<Path> {
    private final FileChannel disk;
    private final long size;

    private Copy(FileChannel disk, long size) {
      this.disk = disk;
      this.size = size;
    }

    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
      if (!attributes.isRegularFile() || !Files.isReadable(file)) {
        return FileVisitResult.CONTINUE;
      }
      try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
        long end = Math.min(in.size(), size - disk.position());
        long done = 0;
        while (done < end) {
          long count = in.transferTo(done, end - done, disk);
          if (count <= 0) {
            break;
          }
          done += count;
        }
      }
      return disk.position() < size ? FileVisitResult.CONTINUE : FileVisitResult.TERMINATE;
    }

    @Override
    public FileVisitResult visitFileFailed(Path file, IOException e) {
      return FileVisitResult.CONTINUE;
    }
  }
}
