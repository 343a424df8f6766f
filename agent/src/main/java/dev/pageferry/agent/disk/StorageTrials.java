package dev.pageferry.agent.disk;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.Names;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.stream.Stream;

/**
 * Tries what disks and leases need of storage: that a flush comes back, that a file appears whole under its name, that other
 * hosts see it, that a lock of one host keeps others out. All of it in small files in a directory of its own, {@code validation}.
 */
public final class StorageTrials {
  private static final Duration LOCKED_AT_MOST = Duration.ofSeconds(30);
  /** No trial takes so long, and no two hosts' clocks are so far apart that it could seem so. */
  private static final Duration ABANDONED_AFTER = Duration.ofDays(7);
  private static final int MAX_BYTES = 512;

  private final Path directory;
  private final LeaseStore locks;
  private final Scheduler scheduler;
  private final ConcurrentMap<String, LeaseStore.Lock> held = new ConcurrentHashMap<>();

  /** @param directory need not exist */
  StorageTrials(Path directory, ProcessLocks locks, Scheduler scheduler) {
    this.directory = directory;
    this.locks = new LeaseDirectory(directory, locks);
    this.scheduler = scheduler;
  }

  /**
   * Writes a file as of a host, whole or not at all.
   *
   * @return how long its flush took, in seconds
   */
  public double write(String trial, String host, String content) throws IOException {
    byte[] bytes = content.getBytes(StandardCharsets.UTF_8);
    if (bytes.length > MAX_BYTES) {
      throw new IllegalArgumentException("%d bytes are more than %d".formatted(bytes.length, MAX_BYTES));
    }
    Path file = file(trial, host);
    Path beingMade = directory.resolve(file.getFileName() + ".new");
    try {
      Files.createDirectories(directory);
      double seconds = writeAndMeasureFlush(beingMade, bytes);
      sweep(Files.getLastModifiedTime(beingMade));
      Files.move(beingMade, file, StandardCopyOption.ATOMIC_MOVE);
      StorageFiles.syncDirectory(directory);
      return seconds;
    } catch (IOException e) {
      throw StorageFiles.failure(file, "written", e);
    }
  }

  /**
   * Removes what trials have left that were cut short.
   *
   * @param now as the storage has it: this host's clock may be the one that is off
   */
  private void sweep(FileTime now) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      for (Path each : files.toList()) {
        if (Files.getLastModifiedTime(each).toMillis() < now.toMillis() - ABANDONED_AFTER.toMillis()) {
          Files.deleteIfExists(each);
        }
      }
    } catch (NoSuchFileException e) {
      // Another host was faster.
    }
  }

  private double writeAndMeasureFlush(Path file, byte[] bytes) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING,
        StandardOpenOption.WRITE)) {
      ByteBuffer left = ByteBuffer.wrap(bytes);
      while (left.hasRemaining()) {
        channel.write(left);
      }
      long before = scheduler.nanos();
      channel.force(true);
      return scheduler.secondsSince(before);
    }
  }

  /** What a host wrote; empty: this host sees nothing of it. */
  public Optional<String> read(String trial, String host) throws IOException {
    Path file = file(trial, host);
    try (InputStream in = Files.newInputStream(file)) {
      return Optional.of(new String(in.readNBytes(MAX_BYTES + 1), StandardCharsets.UTF_8));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw StorageFiles.failure(file, "read", e);
    }
  }

  /** Locks for this host, for half a minute at most; false: another has the lock. */
  public boolean lock(String trial) throws IOException {
    Optional<LeaseStore.Lock> lock = locks.tryLock(lockName(trial));
    if (lock.isEmpty()) {
      return false;
    }
    held.put(trial, lock.get());
    Task _ = scheduler.startBlocking("trial-lock", () -> {
      try {
        scheduler.sleep(LOCKED_AT_MOST);
        unlock(trial);
      } catch (IOException | InterruptedException e) {
        // The process ends, or the storage does not answer: the lock goes with the process then.
      }
    });
    return true;
  }

  /** Whether the lock could be had; it is let go of at once. */
  public boolean tryLock(String trial) throws IOException {
    Optional<LeaseStore.Lock> lock = locks.tryLock(lockName(trial));
    if (lock.isPresent()) {
      lock.get().close();
    }
    return lock.isPresent();
  }

  public void unlock(String trial) throws IOException {
    LeaseStore.Lock lock = held.remove(trial);
    if (lock != null) {
      lock.close();
    }
  }

  /** Removes what is left of a trial. */
  public void clean(String trial) throws IOException {
    String mine = Names.check("trial", trial) + ".";
    unlock(trial);
    if (!Files.isDirectory(directory)) {
      return;
    }
    try (Stream<Path> files = Files.list(directory)) {
      for (Path each : files.filter(it -> it.getFileName().toString().startsWith(mine)).toList()) {
        Files.deleteIfExists(each);
      }
    } catch (IOException e) {
      throw StorageFiles.failure(directory, "cleaned", e);
    }
  }

  private Path file(String trial, String host) {
    return directory.resolve("%s.of.%s".formatted(Names.check("trial", trial), Names.check("host", host)));
  }

  private static String lockName(String trial) {
    return Names.check("trial", trial) + ".lock";
  }
}
