package dev.pageferry.agent.disk;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/** One lease on shared storage. Written by whoever has its {@link LockFile}, read by anyone. */
final class LeaseFile {
  /** A reader may meet a write half done, where the file system shows such a thing. */
  private static final int READS = 5;

  private final Path file;

  LeaseFile(Path file) {
    this.file = file;
  }

  /** @throws DiskException if the file is there and holds no lease */
  Optional<LeaseRecord> read() throws IOException {
    for (int attempt = 1;; attempt++) {
      try {
        byte[] bytes;
        try (InputStream in = Files.newInputStream(file)) {
          bytes = in.readNBytes(LeaseRecord.BYTES);
        }
        return bytes.length == 0 ? Optional.empty() : Optional.of(LeaseRecord.decode(bytes));
      } catch (NoSuchFileException e) {
        return Optional.empty();
      } catch (DiskException e) {
        if (attempt == READS) {
          throw new DiskException("%s: %s; delete it once no host uses what it stands for".formatted(file,
              e.getMessage()), e);
        }
      }
    }
  }

  /** Returns once the lease is on stable storage. */
  void write(LeaseRecord lease) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      ByteBuffer bytes = lease.encode();
      while (bytes.hasRemaining()) {
        channel.write(bytes, bytes.position());
      }
      channel.force(true);
    }
  }

  void delete() throws IOException {
    Files.deleteIfExists(file);
  }

  @Override
  public String toString() {
    return file.toString();
  }
}
