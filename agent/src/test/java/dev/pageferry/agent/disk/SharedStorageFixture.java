package dev.pageferry.agent.disk;

import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Storage with two disks that hosts of one machine and of several share. A "machine" is a boot id. */
@Timeout(60)
abstract class SharedStorageFixture {
  static final Duration LEASE = Duration.ofMillis(400);
  static final Duration RENEWAL = Duration.ofMillis(20);
  static final DiskClaim FIRST = DiskClaim.orderly("vm-1", 1);

  @TempDir
  Path root;
  @TempDir
  Path elsewhere;
  final List<SharedStorage> hosts = new ArrayList<>();
  /** All hosts are in this process. */
  final ProcessLocks locks = new ProcessLocks();
  final TestDevices devices = new TestDevices();
  final BlockingQueue<DiskSet> fenced = new LinkedBlockingQueue<>();
  /** Added to the clock of the host that was opened with it. */
  final AtomicLong leapNanos = new AtomicLong();
  List<DiskDescription> disks = List.of();

  @BeforeEach
  void makeDisk() throws IOException {
    DiskDirectory directory = new DiskDirectory(root, java.time.Clock.systemUTC());
    disks = List.of(directory.create("data", DiskFormat.VHD, 1 << 20),
        directory.create("log", DiskFormat.RAW, 1 << 20));
  }

  @AfterEach
  void close() throws InterruptedException {
    for (SharedStorage each : hosts) {
      each.close();
    }
  }

  SharedStorage host(String name, String machine) throws IOException {
    return host(name, "life-of-" + name, machine);
  }

  SharedStorage host(String name, String incarnation, String machine) throws IOException {
    return host(new StorageLease.Holder(name, incarnation, machine), RENEWAL);
  }

  SharedStorage host(StorageLease.Holder holder, Duration renewal) throws IOException {
    return host(holder, renewal, () -> System.nanoTime() + leapNanos.get());
  }

  SharedStorage host(StorageLease.Holder holder, Duration renewal, BootClock clock) throws IOException {
    return host(holder, new SharedStorage.Timing(LEASE, renewal), clock);
  }

  /** One that does not look at its disks while the test runs. */
  SharedStorage hostThatRenewsSeldom(String name, String machine) throws IOException {
    return host(new StorageLease.Holder(name, "life-of-" + name, machine),
        new SharedStorage.Timing(Duration.ofHours(1), Duration.ofMinutes(30)), System::nanoTime);
  }

  private SharedStorage host(StorageLease.Holder holder, SharedStorage.Timing timing, BootClock clock)
      throws IOException {
    SharedStorage host = new SharedStorage(root, holder, timing,
        new SharedStorage.Environment(locks, clock, Scheduler.SYSTEM), devices, fenced::add);
    hosts.add(host);
    return host;
  }

  LeaseStore leases() {
    return new LeaseDirectory(root.resolve("leases"), locks);
  }

  LeaseFile leaseFile(String name) {
    return new LeaseFile(leases(), name);
  }

  static LeaseRecord record(LeaseRecord.State state, String vm, long epoch) {
    return new LeaseRecord(state, vm, "other", "life-of-other", "m9", epoch, "", 0, LEASE);
  }

  /** Waits until the host has renewed its lease, and looked for marks, after this was called. */
  static void awaitRenewal(SharedStorage host) {
    long before = host.lease().renewals();
    Awaitility.await().until(() -> host.lease().liveRenewal() > before + 1);
  }

  static ByteBuffer sector() {
    return ByteBuffer.allocate(512);
  }
}
