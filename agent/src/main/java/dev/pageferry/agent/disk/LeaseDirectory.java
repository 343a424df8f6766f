package dev.pageferry.agent.disk;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Leases, marks and locks as files in a directory on shared storage. */
public final class LeaseDirectory implements LeaseStore {
  private final Path directory;
  private final ProcessLocks locks;

  /**
   * @param directory exists
   * @param locks the one instance of this process
   */
  public LeaseDirectory(Path directory, ProcessLocks locks) {
    this.directory = directory;
    this.locks = locks;
  }

  @Override
  public Optional<byte[]> read(String name) throws IOException {
    try (InputStream in = Files.newInputStream(directory.resolve(name))) {
      return Optional.of(in.readNBytes(LeaseRecord.BYTES));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw failed("read", name, e);
    }
  }

  @Override
  public List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(each -> each.getFileName().toString()).sorted().toList();
    } catch (IOException e) {
      throw failed("listed", ".", e);
    }
  }

  @Override
  public void write(String name, byte[] contents) throws IOException {
    // Not truncated first: a crash between the two would leave nothing.
    try (FileChannel channel = FileChannel.open(directory.resolve(name), StandardOpenOption.CREATE,
        StandardOpenOption.WRITE)) {
      ByteBuffer bytes = ByteBuffer.wrap(contents);
      while (bytes.hasRemaining()) {
        channel.write(bytes, bytes.position());
      }
      channel.force(true);
    } catch (IOException e) {
      throw failed("written", name, e);
    }
  }

  @Override
  public void delete(String name) throws IOException {
    try {
      Files.deleteIfExists(directory.resolve(name));
    } catch (IOException e) {
      throw failed("deleted", name, e);
    }
  }

  @Override
  public Optional<Lock> tryLock(String name) throws IOException {
    try {
      return locks.tryLock(directory.resolve(name));
    } catch (IOException e) {
      throw failed("locked", name, e);
    }
  }

  @Override
  public Holding holding(String name) throws IOException {
    try {
      return locks.holding(directory.resolve(name));
    } catch (IOException e) {
      throw failed("looked at", name, e);
    }
  }

  private IOException failed(String what, String name, IOException e) {
    return e instanceof ClosedByInterruptException
        ? e
        : new DiskException("%s cannot be %s: %s".formatted(directory.resolve(name), what, StorageFiles.reason(e)), e);
  }

  @Override
  public String toString() {
    return directory.toString();
  }
}
