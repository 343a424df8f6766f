package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** One device that is called /dev/sda here and /dev/sdb there, among agents of this version and of the one before. */
@Timeout(60)
final class DeviceIdentityTest {
  private static final Duration LEASE = Duration.ofMillis(400);
  private static final DiskClaim FIRST = DiskClaim.orderly("vm-1", 1);

  @TempDir
  Path root;
  @TempDir
  Path dev;
  private final List<SharedStorage> hosts = new ArrayList<>();
  private final ProcessLocks locks = new ProcessLocks();
  private final TestDevices devices = new TestDevices();
  private final BlockingQueue<DiskSet> fenced = new LinkedBlockingQueue<>();
  private Path sda = Path.of("/");
  private Path sdb = Path.of("/");

  @BeforeEach
  void attach() throws IOException {
    sda = Files.write(dev.resolve("sda"), new byte[4096]).toRealPath();
    sdb = Files.write(dev.resolve("sdb"), new byte[4096]).toRealPath();
    devices.attach(sda, "naa.600a");
    devices.attach(sdb, "naa.600a");
  }

  @AfterEach
  void close() throws InterruptedException {
    for (SharedStorage each : hosts) {
      each.close();
    }
  }

  private SharedStorage host(String name, String machine) throws IOException {
    SharedStorage host = new SharedStorage(root, new StorageLease.Holder(name, "life-of-" + name, machine),
        new SharedStorage.Timing(LEASE, Duration.ofMillis(20)), new SharedStorage.Environment(locks, System::nanoTime,
            Scheduler.SYSTEM),
        devices, fenced::add);
    hosts.add(host);
    return host;
  }

  private static List<DiskDescription> disk(SharedStorage host, Path path) throws IOException {
    return List.of(host.disks().show(path.toString()));
  }

  private LeaseStore leases() {
    return new LeaseDirectory(root.resolve("leases"), locks);
  }

  /** All that an agent of the version before knows of a device: its path. */
  private LeaseSlot slotOfVersionBefore(Path path) {
    return LeaseSlot.of(leases(), path.toString(), Optional.empty()).getFirst();
  }

  private DiskLease takenByVersionBefore(SharedStorage host, Path path, DiskClaim claim) throws Exception {
    host.lease().awaitLive(Duration.ofSeconds(10));
    return DiskLease.take(List.of(slotOfVersionBefore(path)), path.toString(), claim, host.lease(), System::nanoTime,
        Scheduler.SYSTEM);
  }

  @Test
  void aDeviceThatAVmHasUnderOneNameIsNotAnothersUnderAnotherName() throws Exception {
    SharedStorage a = host("a", "m1");
    SharedStorage b = host("b", "m2");
    DiskSet set = a.open(disk(a, sda), FIRST);
    assertThatThrownBy(() -> b.open(disk(b, sdb), DiskClaim.orderly("vm-2", 1))).isInstanceOf(DiskException.class)
        .hasMessageContaining("in use by VM vm-1 on host a");
    assertThatThrownBy(() -> a.open(disk(a, sdb), DiskClaim.orderly("vm-2", 1))).as("on the same host, too")
        .hasMessageContaining("in use by VM vm-1 on host a");
    set.disk(0).write(0, ByteBuffer.allocate(512));
    set.release("");
    b.open(disk(b, sdb), DiskClaim.orderly("vm-2", 1)).release("");
  }

  @Test
  void aHolderUnderOneNameIsFencedByAHostThatKnowsTheDeviceUnderAnother() throws Exception {
    SharedStorage a = host("a", "m1");
    SharedStorage b = host("b", "m1");
    DiskSet at = a.open(disk(a, sda), FIRST);
    DiskSet there = b.open(disk(b, sdb), DiskClaim.afterSilence("vm-1", 2, false));
    assertThat(fenced.poll(10, TimeUnit.SECONDS)).isSameAs(at);
    there.disk(0).write(0, ByteBuffer.allocate(512));
    there.release("");
    assertThatThrownBy(() -> a.open(disk(a, sda), FIRST)).hasMessageContaining("epoch 2, which is later than 1");
  }

  @Test
  void differentDevicesOfOneSizeAreDifferentDisks() throws Exception {
    devices.attach(sdb, "naa.600b");
    SharedStorage a = host("a", "m1");
    a.open(disk(a, sda), FIRST);
    a.open(disk(a, sdb), DiskClaim.orderly("vm-2", 1)).disk(0).write(0, ByteBuffer.allocate(512));
  }

  @Test
  void anAgentOfTheVersionBeforeAndThisOneExcludeEachOther() throws Exception {
    SharedStorage a = host("a", "m1");
    SharedStorage old = host("old", "m2");
    DiskSet set = a.open(disk(a, sda), FIRST);
    assertThatThrownBy(() -> takenByVersionBefore(old, sda, DiskClaim.orderly("vm-2", 1)))
        .hasMessageContaining("in use by VM vm-1 on host a");
    set.release("m-1");

    DiskLease taken = takenByVersionBefore(old, sda, DiskClaim.orderly("vm-1", 2));
    assertThatThrownBy(() -> a.open(disk(a, sda), DiskClaim.orderly("vm-2", 1)))
        .hasMessageContaining("in use by VM vm-1 on host old");
    assertThat(leases().tryLock(deviceSlot() + ".lock")).as("nothing stays locked of what was not taken whole")
        .hasValueSatisfying(lock -> {
          try {
            lock.close();
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        });
    taken.release("m-2");
    // It wrote to one slot only: the other is of epoch 1.
    assertThatThrownBy(() -> a.open(disk(a, sda), FIRST)).hasMessageContaining("epoch 2, which is later than 1");
    a.open(disk(a, sda), DiskClaim.orderly("vm-1", 3)).release("");
  }

  private String deviceSlot() throws IOException {
    try (var files = Files.list(root.resolve("leases"))) {
      return files.map(each -> each.getFileName().toString()).filter(each -> each.startsWith("device-")).findFirst()
          .orElseThrow().replaceFirst("\\..*", "");
    }
  }

  @Test
  void aMarkOfAnAgentOfTheVersionBeforeFencesAHolderOfThisOne() throws Exception {
    SharedStorage a = host("a", "m1");
    SharedStorage old = host("old", "m1");
    DiskSet at = a.open(disk(a, sda), FIRST);
    DiskLease taken = takenByVersionBefore(old, sda, DiskClaim.afterSilence("vm-1", 2, false));
    assertThat(fenced.poll(10, TimeUnit.SECONDS)).isSameAs(at);
    assertThatThrownBy(() -> at.disk(0).write(0, ByteBuffer.allocate(512))).isInstanceOf(DiskException.class);
    taken.release("");
  }

  @Test
  void aHolderOfThisVersionThatDiedIsNotWaitedForOnceOneOfTheVersionBeforeHadTheDevice() throws Exception {
    SharedStorage a = host("a", "m1");
    // As if the process had died, on a machine whose other agent of that name lives on: its lease stays, held.
    a.open(disk(a, sda), FIRST).abandon();
    SharedStorage old = host("old", "m1");
    takenByVersionBefore(old, sda, DiskClaim.afterSilence("vm-1", 2, false)).release("");
    SharedStorage b = host("b", "m2");
    b.open(disk(b, sda), DiskClaim.orderly("vm-1", 3)).disk(0).write(0, ByteBuffer.allocate(512));
  }

  @Test
  void aStateIsNotRestoredOverADeviceThatAnotherVmOpenedUnderAnotherName() throws Exception {
    SharedStorage a = host("a", "m1");
    a.open(disk(a, sda), FIRST).release("");
    a.checkNotOpenedAfter(disk(a, sda), "vm-1", 1);
    a.open(disk(a, sdb), DiskClaim.orderly("vm-2", 1)).release("");
    assertThatThrownBy(() -> a.checkNotOpenedAfter(disk(a, sda), "vm-1", 1))
        .hasMessageContaining("opened by VM vm-2");
  }

  @Test
  void theKernelSaysWhatADeviceIs(@TempDir Path sysfs) throws Exception {
    Path disks = Files.createDirectories(sysfs.resolve("disks"));
    Path block = Files.createDirectories(sysfs.resolve("class/block"));
    write(disks.resolve("sda/device/wwid"), "naa.600a\n");
    write(disks.resolve("sda/sda1/partition"), "1\n");
    write(disks.resolve("sdb/device/wwid"), "naa.600a\n");
    write(disks.resolve("dm-0/dm/uuid"), "mpath-3600a\n");
    write(disks.resolve("dm-1/dm/uuid"), "LVM-xyz\n");
    write(disks.resolve("loop0/size"), "8\n");
    for (String each : List.of("sda", "sdb", "dm-0", "dm-1", "loop0")) {
      Files.createSymbolicLink(block.resolve(each), disks.resolve(each));
    }
    Files.createSymbolicLink(block.resolve("sda1"), disks.resolve("sda/sda1"));
    for (Path each : List.of(disks.resolve("dm-0"), disks.resolve("dm-1"))) {
      Files.createDirectory(each.resolve("slaves"));
      Files.createSymbolicLink(each.resolve("slaves/sdb"), disks.resolve("sdb"));
    }
    BlockDeviceIds ids = new BlockDeviceIds(block);
    assertThat(ids.lun("sda")).contains("naa.600a");
    assertThat(ids.lun("sda1")).as("a part is not the whole").contains("naa.600a-part1");
    assertThat(ids.lun("dm-0")).as("several paths to one LUN").contains("naa.600a");
    assertThat(ids.lun("dm-1")).as("a logical volume is not what it lies on").isEmpty();
    assertThat(ids.lun("loop0")).isEmpty();
    assertThat(ids.wwid("dm-0")).as("the description stays what other versions see").isEmpty();
    Files.delete(disks.resolve("sda/device/wwid"));
    Files.createDirectory(disks.resolve("sda/device/wwid"));
    assertThatThrownBy(() -> ids.lun("sda")).as("unknown is not none").isInstanceOf(DiskException.class);
  }

  private static void write(Path file, String text) throws IOException {
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }
}
