package dev.pageferry.agent.disk;

import dev.pageferry.agent.disk.TestDevices.HungFlush;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Storage that hosts of one process share, with disks that can hang. */
public final class TestStorage implements AutoCloseable {
  private final Path root;
  private final ProcessLocks locks = new ProcessLocks();
  private final TestDevices devices = new TestDevices();
  private final List<SharedStorage> hosts = new ArrayList<>();

  public TestStorage(Path root) {
    this.root = root;
  }

  /** What guests of that host find here. */
  public GuestDisks host(String name) throws IOException {
    SharedStorage host = new SharedStorage(root, new StorageLease.Holder(name, "life-of-" + name, "this machine"),
        new SharedStorage.Timing(Duration.ofSeconds(10), Duration.ofMillis(100)),
        new SharedStorage.Environment(locks, System::nanoTime, Scheduler.SYSTEM), devices, fenced -> {
        });
    hosts.add(host);
    return new GuestDisks(Optional.of(host));
  }

  public DiskDescription createDisk(String name, long bytes) throws IOException {
    return new DiskDirectory(root, Clock.systemUTC()).create(name, DiskFormat.RAW, bytes);
  }

  /** From now on the flush of that disk hangs, on whatever host. */
  public HungFlush hangFlush(String disk) {
    return devices.hang(disk + ".raw");
  }

  /** From now on the flush of that disk fails, once. */
  public void failNextFlush(String disk) {
    devices.failNext(disk + ".raw");
  }

  @Override
  public void close() throws InterruptedException {
    for (SharedStorage each : hosts) {
      each.close();
    }
  }
}
