package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;

/** Files that can be devices with an identity, and disks whose flush hangs or fails. */
public final class TestDevices implements Devices {
  private final Map<Path, String> luns = new ConcurrentHashMap<>();
  private final Map<String, HungFlush> hung = new ConcurrentHashMap<>();
  private final Set<String> failing = ConcurrentHashMap.newKeySet();

  /** A flush that a test ends. */
  public static final class HungFlush {
    private final CountDownLatch begun = new CountDownLatch(1);
    private final CountDownLatch ended = new CountDownLatch(1);

    public void awaitBegun() throws InterruptedException {
      begun.await();
    }

    public void end() {
      ended.countDown();
    }

    private void hang() {
      begun.countDown();
      try {
        ended.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** From now on the flush of the disk in files of that name hangs. */
  HungFlush hang(String fileName) {
    HungFlush flush = new HungFlush();
    hung.put(fileName, flush);
    return flush;
  }

  /** The next flush of the disk in files of that name fails, and no other: Linux reports a lost write once. */
  void failNext(String fileName) {
    failing.add(fileName);
  }

  /** The file is a block device of that wwid. */
  void attach(Path file, String wwid) {
    luns.put(file, wwid);
  }

  @Override
  public Optional<String> wwid(Path file) {
    return Optional.ofNullable(luns.get(file));
  }

  @Override
  public Optional<String> lun(Path file) {
    return wwid(file);
  }

  @Override
  public OpenDisk open(Path file, DiskFormat format) throws IOException {
    DiskFile disk = DiskFile.open(file, format);
    return new OpenDisk() {
      @Override
      public long sizeBytes() {
        return disk.sizeBytes();
      }

      @Override
      public void read(long offset, ByteBuffer target) throws IOException {
        disk.read(offset, target);
      }

      @Override
      public void write(long offset, ByteBuffer source) throws IOException {
        disk.write(offset, source);
      }

      @Override
      public void flush() throws IOException {
        String name = file.getFileName().toString();
        HungFlush flush = hung.get(name);
        if (flush != null) {
          flush.hang();
        }
        if (failing.remove(name)) {
          throw new IOException("lost writes of " + name);
        }
        disk.flush();
      }

      @Override
      public void close() throws IOException {
        disk.close();
      }
    };
  }
}
