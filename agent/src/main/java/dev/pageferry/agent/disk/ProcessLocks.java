package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The file locks of this process, of which there is one instance. A lock is kept by the kernel (or the file server) until it
 * is released or the process is gone. It is on a file of its own that nothing else opens: a POSIX lock is lost as soon as
 * its process closes <em>any</em> descriptor of the file (fcntl(2)), so that even a failed second attempt in this process
 * would drop it. That is why all attempts of the process go through one instance.
 */
public final class ProcessLocks {
  private final Map<Path, Mine> mine = new ConcurrentHashMap<>();

  /** What this process does with a lock. */
  private enum Mine {
    TRIED,
    LOCKED
  }

  private final class FileIsLocked implements LeaseStore.Lock {
    private final Path file;
    private final FileChannel channel;

    private FileIsLocked(Path file, FileChannel channel) {
      this.file = file;
      this.channel = channel;
    }

    @Override
    public void close() throws IOException {
      if (channel.isOpen()) {
        channel.close();
        mine.remove(file);
      }
    }
  }

  /**
   * Locks, or finds that somebody else has the lock.
   *
   * @throws IOException if this file system has no locks
   */
  Optional<LeaseStore.Lock> tryLock(Path path) throws IOException {
    Path file = path.toAbsolutePath().normalize();
    if (mine.putIfAbsent(file, Mine.TRIED) != null) {
      return Optional.empty();
    }
    FileChannel channel = null;
    boolean locked = false;
    try {
      channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      FileLock lock = channel.tryLock();
      locked = lock != null;
      if (locked) {
        mine.put(file, Mine.LOCKED);
      }
      return locked ? Optional.of(new FileIsLocked(file, channel)) : Optional.empty();
    } catch (OverlappingFileLockException e) {
      return Optional.empty();
    } finally {
      if (!locked) {
        if (channel != null) {
          channel.close();
        }
        mine.remove(file);
      }
    }
  }

  /** Whether anybody has it locked, by a lock that any number of processes may have at once. */
  LeaseStore.Holding holding(Path path) throws IOException {
    Path file = path.toAbsolutePath().normalize();
    Mine before = mine.putIfAbsent(file, Mine.TRIED);
    if (before != null) {
      return before == Mine.LOCKED ? LeaseStore.Holding.HELD : LeaseStore.Holding.UNKNOWN;
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        FileLock lock = channel.tryLock(0, Long.MAX_VALUE, true)) {
      return lock == null ? LeaseStore.Holding.HELD : LeaseStore.Holding.FREE;
    } catch (NoSuchFileException | OverlappingFileLockException e) {
      return LeaseStore.Holding.UNKNOWN;
    } finally {
      mine.remove(file);
    }
  }
}
