package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Who may write a disk, among hosts of one machine and of several. A "machine" is a boot id. */
@Timeout(60)
final class SharedStorageTest {
  private static final Duration LEASE = Duration.ofMillis(400);
  private static final Duration RENEWAL = Duration.ofMillis(20);
  private static final DiskClaim FIRST = DiskClaim.orderly("vm-1", 1);

  @TempDir
  Path root;
  private final List<SharedStorage> hosts = new ArrayList<>();
  private final BlockingQueue<DiskSet> fenced = new LinkedBlockingQueue<>();
  /** Added to the clock of the host that was opened with it. */
  private final AtomicLong leapNanos = new AtomicLong();
  private List<DiskDescription> disks = List.of();

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

  private SharedStorage host(String name, String machine) throws IOException {
    return host(name, "life-of-" + name, machine);
  }

  private SharedStorage host(String name, String incarnation, String machine) throws IOException {
    SharedStorage host = new SharedStorage(root, new StorageLease.Holder(name, incarnation, machine), LEASE, RENEWAL,
        () -> System.nanoTime() + leapNanos.get(), fenced::add);
    hosts.add(host);
    return host;
  }

  private static ByteBuffer sector() {
    return ByteBuffer.allocate(512);
  }

  @Test
  void hostsThatShareStorageKnowItByItsId() throws Exception {
    assertThat(host("a", "m1").id()).isEqualTo(host("b", "m2").id()).isNotBlank();
  }

  @Test
  void storageThatIsNotThereAnyMoreIsNotMadeAnew() throws Exception {
    SharedStorage a = host("a", "m1");
    Path marker = root.resolve("pageferry-storage");
    String id = Files.readString(marker);
    Files.delete(marker);
    assertThatThrownBy(a::disks).isInstanceOf(DiskException.class).hasMessageContaining("is not there any more");
    Files.writeString(marker, "another's\n");
    assertThatThrownBy(a::disks).hasMessageContaining("its id is another's");
    assertThatThrownBy(() -> a.delete("data")).as("not even one of the same name")
        .hasMessageContaining("its id is another's");
    Files.writeString(marker, id);
    assertThat(a.disks().list()).hasSize(2);
  }

  @Test
  void aReleasedDiskIsTheNextOwnersAtOnceAndNotTheLastOnes() throws Exception {
    SharedStorage a = host("a", "m1");
    SharedStorage b = host("b", "m2");
    DiskSet at = a.open(disks, FIRST);
    at.disk(0).write(0, sector());
    at.release("move-1");
    DiskSet there = b.open(disks, DiskClaim.orderly("vm-1", 2));
    there.disk(0).write(0, sector());
    assertThat(there.epoch()).isEqualTo(2);

    assertThatThrownBy(() -> at.disk(0).write(0, sector())).hasMessageContaining("not open on this host any more");
    there.release("");
    assertThatThrownBy(() -> a.open(disks, FIRST)).isInstanceOf(DiskException.class)
        .hasMessageContaining("epoch 2, which is later than 1");
  }

  @Test
  void aDiskInUseIsNobodyElses() throws Exception {
    SharedStorage a = host("a", "m1");
    SharedStorage b = host("b", "m2");
    DiskSet at = a.open(disks, FIRST);
    assertThatThrownBy(() -> b.open(disks, DiskClaim.orderly("vm-1", 2))).isInstanceOf(DiskException.class)
        .hasMessageContaining("still locked by host a");
    assertThatThrownBy(() -> b.open(disks, DiskClaim.afterSilence("vm-2", 9, true))).isInstanceOf(DiskException.class)
        .hasMessageContaining("in use by VM vm-1 on host a");
    at.disk(1).write(0, sector());
    at.release("");
    b.open(disks, DiskClaim.orderly("vm-2", 1)).release("");
  }

  @Test
  void ofSeveralDisksAllAreOpenOrNone() throws Exception {
    SharedStorage a = host("a", "m1");
    SharedStorage b = host("b", "m2");
    DiskSet second = a.open(disks.subList(1, 2), DiskClaim.orderly("vm-1", 1));
    assertThatThrownBy(() -> b.open(disks, DiskClaim.orderly("vm-1", 1))).isInstanceOf(DiskException.class);
    a.open(disks.subList(0, 1), DiskClaim.orderly("vm-1", 1)).release("");
    second.release("");
  }

  @Test
  void aHolderThatLivesIsFencedAndLetsGo() throws Exception {
    SharedStorage a = host("a", "m1");
    SharedStorage b = host("b", "m1");
    DiskSet at = a.open(disks, FIRST);
    DiskSet there = b.open(disks, DiskClaim.afterSilence("vm-1", 2, false));
    assertThat(fenced.poll(10, TimeUnit.SECONDS)).isSameAs(at);
    assertThat(at.isFenced()).isTrue();
    assertThatThrownBy(() -> at.disk(0).write(0, sector())).isInstanceOf(DiskException.class);
    there.disk(0).write(0, sector());
    assertThat(root.resolve("leases/disk-data.fence")).doesNotExist();
  }

  @Test
  void theDiskOfAHolderThatDiedOnThisMachineIsFreeAtOnce() throws Exception {
    SharedStorage a = host("a", "m1");
    a.open(disks, FIRST).abandon();
    SharedStorage b = host("b", "m1");
    long start = System.nanoTime();
    b.open(disks, DiskClaim.afterSilence("vm-1", 2, false)).release("");
    // Its host still renews its lease: on another machine that would have been refused.
    assertThat(System.nanoTime() - start).isPositive();
  }

  @Test
  void theLeaseOfAHolderThatDiedOnAnotherMachineIsWaitedOut() throws Exception {
    SharedStorage a = host("a", "m1");
    a.open(disks, FIRST).abandon();
    SharedStorage b = host("b", "m2");
    assertThatThrownBy(() -> b.open(disks, DiskClaim.afterSilence("vm-1", 2, false)))
        .isInstanceOf(DiskException.class).hasMessageContaining("host a").hasMessageContaining("is alive");
    a.close();
    b.open(disks, DiskClaim.afterSilence("vm-1", 2, false)).disk(0).write(0, sector());
  }

  @Test
  void aHostsNextLifeOnAnotherMachineWaitsUntilTheOneBeforeIsSurelyOver() throws Exception {
    SharedStorage first = host("a", "life-1", "m1");
    DiskSet at = first.open(disks, FIRST);
    // As if the machine had lost its power: nothing is released, nothing is renewed.
    LeaseFile file = StorageLease.hostFile(root.resolve("leases"), "a");
    LeaseRecord last = file.read().orElseThrow();
    first.close();
    file.write(last);
    long start = System.nanoTime();
    SharedStorage next = host("a", "life-2", "m2");
    next.lease().awaitLive(Duration.ofSeconds(20));
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThan(LEASE);
    assertThat(at.isFenced()).isFalse();
    next.open(disks, DiskClaim.afterSilence("vm-1", 2, false)).release("");
  }

  @Test
  void aHostWhoseClockLeaptWritesNothingUntilItHasRenewed() throws Exception {
    SharedStorage a = host("a", "m1");
    DiskSet at = a.open(disks, FIRST);
    // Suspended: when it wakes up, time has passed and its thread has not run.
    leapNanos.addAndGet(Duration.ofMinutes(1).toNanos());
    boolean refused = false;
    try {
      at.disk(0).write(0, sector());
    } catch (DiskException e) {
      refused = true;
      assertThat(e).hasMessageContaining("lease on the storage has expired");
    }
    Awaitility.await().until(() -> a.lease().isLive());
    at.disk(0).write(0, sector());
    // It may have renewed in between; twice in a row that does not happen.
    if (!refused) {
      leapNanos.addAndGet(Duration.ofMinutes(1).toNanos());
      assertThat(a.lease().isLive()).isFalse();
    }
  }

  @Test
  void aLifeThatWasReplacedNeverHoldsTheLeaseAgain() throws Exception {
    SharedStorage a = host("a", "life-1", "m1");
    DiskSet at = a.open(disks, FIRST);
    LeaseFile file = StorageLease.hostFile(root.resolve("leases"), "a");
    LeaseRecord mine = file.read().orElseThrow();
    file.write(new LeaseRecord(LeaseRecord.State.HELD, "", "a", "life-2", "m2", 0, "", mine.counter() + 5, LEASE));
    Awaitility.await().until(() -> a.lease().isLost() || renewedOver(file, "life-2"));
    if (a.lease().isLost()) {
      assertThat(a.lease().isLive()).isFalse();
      assertThatThrownBy(() -> at.disk(0).write(0, sector())).isInstanceOf(DiskException.class);
    }
  }

  private static boolean renewedOver(LeaseFile file, String incarnation) throws IOException {
    return !file.read().orElseThrow().isOfLife(incarnation);
  }

  @Test
  void anotherDiskUnderTheSameNameIsRefused() throws Exception {
    SharedStorage a = host("a", "m1");
    a.disks().delete("data");
    a.disks().create("data", DiskFormat.VHD, 1 << 20);
    assertThatThrownBy(() -> a.open(disks, FIRST)).isInstanceOf(DiskException.class)
        .hasMessageContaining("is not the one that the VM has");
    assertThatThrownBy(() -> a.check(disks)).isInstanceOf(DiskException.class);
  }

  @Test
  void aRawFileIsPassedThroughByItsPath(@TempDir Path elsewhere) throws Exception {
    SharedStorage a = host("a", "m1");
    Path file = Files.write(elsewhere.resolve("whole-disk"), new byte[4096]).toRealPath();
    Path link = Files.createSymbolicLink(elsewhere.resolve("link"), file);
    DiskDescription found = a.disks().show(link.toString());
    assertThat(found.name()).as("one file has one name").isEqualTo(file.toString());
    assertThat(found.format()).isEqualTo(DiskFormat.RAW);
    assertThat(found.sizeBytes()).isEqualTo(4096);
    DiskSet set = a.open(List.of(found), FIRST);
    set.disk(0).write(0, ByteBuffer.wrap(new byte[]{7}));
    set.release("");
    assertThat(Files.readAllBytes(file)[0]).isEqualTo((byte) 7);
    assertThatThrownBy(() -> a.disks().delete(file.toString())).isInstanceOf(DiskException.class);
    assertThatThrownBy(() -> a.disks().show("/dev/null")).isInstanceOf(DiskException.class)
        .hasMessageContaining("neither a file nor a block device");
    assertThatThrownBy(() -> a.disks().show(root.resolve("disks/log.raw").toString())).isInstanceOf(DiskException.class)
        .hasMessageContaining("is on the shared storage");
  }

  @Test
  void theDiskOfAVmThatIsGoneIsFreeForOthers() throws Exception {
    SharedStorage a = host("a", "m1");
    a.open(disks, FIRST).abandon();
    // That VM was deleted after its host had died: nobody has released the disk, and nobody has it open.
    a.open(disks, DiskClaim.afterSilence("vm-2", 1, false)).release("");
  }

  @Test
  void aDiskThatCannotBeReleasedIsUnlockedAllTheSame() throws Exception {
    SharedStorage a = host("a", "m1");
    DiskSet set = a.open(disks, FIRST);
    Path lease = root.resolve("leases/disk-data.lease");
    Files.delete(lease);
    Files.createDirectory(lease);
    assertThatThrownBy(() -> set.release("")).isInstanceOf(IOException.class);
    Files.delete(lease);
    a.open(disks, DiskClaim.afterSilence("vm-1", 2, false)).release("");
  }

  @Test
  void aDamagedLeaseStopsWhoeverWantsTheDiskAndSaysWhere() throws Exception {
    SharedStorage a = host("a", "m1");
    a.open(disks, FIRST).release("");
    Files.writeString(root.resolve("leases/disk-data.lease"), "pageferry-lease 1\nnonsense\n");
    assertThatThrownBy(() -> a.open(disks, FIRST)).isInstanceOf(DiskException.class)
        .hasMessageContaining("disk-data.lease");
  }
}
