package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * An exclusive lock of this process, kept by the kernel (or the file server) until it is released or the process is gone.
 * It is a file of its own that nothing else opens: a POSIX lock is lost as soon as its process closes <em>any</em>
 * descriptor of the file (fcntl(2)), so that even a failed second attempt in this process would drop it.
 */
final class LockFile implements AutoCloseable {
  /** What this process has locked, or is trying to. */
  private static final Set<Path> MINE = ConcurrentHashMap.newKeySet();

  private final Path file;
  private final FileChannel channel;

  private LockFile(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  /**
   * Locks, or finds that somebody else has the lock.
   *
   * @throws IOException if this file system has no locks
   */
  static Optional<LockFile> tryLock(Path path) throws IOException {
    Path file = path.toAbsolutePath().normalize();
    if (!MINE.add(file)) {
      return Optional.empty();
    }
    FileChannel channel = null;
    boolean locked = false;
    try {
      channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      FileLock lock = channel.tryLock();
      locked = lock != null;
      return locked ? Optional.of(new LockFile(file, channel)) : Optional.empty();
    } catch (OverlappingFileLockException e) {
      return Optional.empty();
    } finally {
      if (!locked) {
        MINE.remove(file);
        if (channel != null) {
          channel.close();
        }
      }
    }
  }

  /** Unlocks. Idempotent. */
  @Override
  public void close() throws IOException {
    if (channel.isOpen()) {
      channel.close();
      MINE.remove(file);
    }
  }
}
