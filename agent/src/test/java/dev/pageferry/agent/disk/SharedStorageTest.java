package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.disk.TestDevices.HungFlush;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who may write a disk. */
final class SharedStorageTest extends SharedStorageFixture {
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
  void theDiskOfAHolderThatDiedOnThisMachineIsTakenThoughItsHostStillRenewsItsLease() throws Exception {
    SharedStorage a = host("a", "m1");
    a.open(disks, FIRST).abandon();
    SharedStorage b = host("b", "m1");
    DiskSet taken = b.open(disks, DiskClaim.afterSilence("vm-1", 2, false));
    // On another machine that would have been refused: see the next one.
    taken.disk(0).write(0, sector());
    assertThat(a.lease().isLive()).isTrue();
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
    LeaseFile file = StorageLease.hostFile(leases(), "a");
    LeaseRecord last = file.read().orElseThrow();
    first.close();
    file.write(last);
    // It waits by a clock on which only the time passes that the test lets pass.
    AtomicLong clock = new AtomicLong();
    SharedStorage next = host(new StorageLease.Holder("a", "life-2", "m2"), RENEWAL, clock::get);
    Awaitility.await().until(() -> {
      clock.addAndGet(RENEWAL.toNanos());
      return next.lease().isLive();
    });
    assertThat(clock.get()).as("another's clock may be slower by a tenth")
        .isGreaterThanOrEqualTo(LEASE.toNanos() + LEASE.toNanos() / 10);
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
    LeaseFile file = StorageLease.hostFile(leases(), "a");
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
    SharedStorage a = hostThatRenewsSeldom("a", "m1");
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

  @Test
  void aDiskThatHangsStopsNeitherItsHostsLeaseNorOtherGuests() throws Exception {
    SharedStorage a = host("a", "m1");
    DiskSet hanging = a.open(disks.subList(0, 1), FIRST);
    DiskSet other = a.open(disks.subList(1, 2), DiskClaim.orderly("vm-2", 1));
    HungFlush flush = devices.hang("data.vhd");
    Task inFlight = Scheduler.SYSTEM.startBlocking("in-flight", () -> flush(hanging.disk(0)));
    flush.awaitBegun();

    leaseFile("disk-data.fence").write(record(LeaseRecord.State.FENCED, "vm-1", 2));
    assertThat(fenced.poll(10, TimeUnit.SECONDS)).isSameAs(hanging);
    for (int i = 0; i < 3; i++) {
      awaitRenewal(a);
      other.disk(0).write(0, sector());
    }
    assertThat(leaseFile("disk-data.lease").read().orElseThrow().state())
        .as("no word to the other host before the request in flight is done").isEqualTo(LeaseRecord.State.HELD);
    assertThat(locks.tryLock(root.resolve("leases/disk-data.lock"))).isEmpty();

    flush.end();
    assertThat(inFlight.join(Duration.ofSeconds(10))).isTrue();
    Awaitility.await()
        .until(() -> leaseFile("disk-data.lease").read().orElseThrow().state() == LeaseRecord.State.RELEASED);
    assertThatThrownBy(() -> hanging.disk(0).write(0, sector())).isInstanceOf(DiskException.class);
  }

  private static void flush(BlockDevice disk) {
    try {
      disk.flush();
    } catch (IOException e) {
      // It was fenced meanwhile.
    }
  }

  @Test
  void aDiskThatHangsDoesNotHoldUpTheRefusalOfTheVmsOtherDisks() throws Exception {
    SharedStorage a = host("a", "m1");
    DiskSet set = a.open(disks, FIRST);
    HungFlush flush = devices.hang("data.vhd");
    Task inFlight = Scheduler.SYSTEM.startBlocking("in-flight", () -> flush(set.disk(0)));
    flush.awaitBegun();
    leaseFile("disk-data.fence").write(record(LeaseRecord.State.FENCED, "vm-1", 2));
    assertThat(fenced.poll(10, TimeUnit.SECONDS)).isSameAs(set);
    assertThatThrownBy(() -> set.disk(1).write(0, sector())).hasMessageContaining("another host's to have");
    flush.end();
    assertThat(inFlight.join(Duration.ofSeconds(10))).isTrue();
  }

  @Test
  void aHostThatEndsWhileADiskHangsLetsItsLeaseExpireInsteadOfGivingItUp() throws Exception {
    SharedStorage a = host("a", "m1");
    DiskSet set = a.open(disks, FIRST);
    HungFlush flush = devices.hang("data.vhd");
    Task inFlight = Scheduler.SYSTEM.startBlocking("in-flight", () -> flush(set.disk(0)));
    flush.awaitBegun();
    a.close();
    assertThat(StorageLease.hostFile(leases(), "a").read().orElseThrow().state()).isEqualTo(LeaseRecord.State.HELD);
    assertThat(locks.tryLock(root.resolve("leases/host-a.lock"))).as("nobody follows it while it is there").isEmpty();
    assertThat(a.lease().isLive()).isFalse();
    flush.end();
    assertThat(inFlight.join(Duration.ofSeconds(10))).isTrue();
  }

  @Test
  void disksThatAreBeingReleasedAreNotFencedByTheirOwnRelease() throws Exception {
    SharedStorage a = host("a", "m1");
    DiskSet set = a.open(disks, FIRST);
    HungFlush flush = devices.hang("log.raw");
    Promise<String> released = Scheduler.SYSTEM.newPromise();
    Task unused = Scheduler.SYSTEM.startBlocking("release", () -> {
      try {
        set.release("m-1");
        released.complete("released");
      } catch (IOException e) {
        released.fail(e);
      }
    });
    flush.awaitBegun();
    assertThat(leaseFile("disk-data.lease").read().orElseThrow().state()).isEqualTo(LeaseRecord.State.RELEASED);
    awaitRenewal(a);
    flush.end();
    assertThat(released.await(Duration.ofSeconds(10))).contains("released");
    assertThat(set.isFenced()).isFalse();
    assertThat(fenced).isEmpty();
  }

  @Test
  void aFormerHolderDoesNotWriteReleasedOverTheLeaseOfTheNextOne() throws Exception {
    // It renews so rarely that it does not see the other one by itself.
    SharedStorage a = host(new StorageLease.Holder("a", "life", "m1"), Duration.ofMinutes(1));
    DiskSet set = a.open(disks.subList(0, 1), FIRST);
    LeaseRecord next = record(LeaseRecord.State.HELD, "vm-1", 2);
    leaseFile("disk-data.lease").write(next);
    assertThatThrownBy(() -> set.release("m-1")).isInstanceOf(DiskException.class)
        .hasMessageContaining("another host's by now");
    assertThat(leaseFile("disk-data.lease").read()).contains(next);
  }

  @Test
  void aHostThatLostItsLeaseDoesNotSayThatTheIncarnationAfterItIsGone() throws Exception {
    SharedStorage a = host("a", "life-1", "m1");
    a.lease().awaitLive(Duration.ofSeconds(10));
    LeaseFile file = StorageLease.hostFile(leases(), "a");
    LeaseRecord next = new LeaseRecord(LeaseRecord.State.HELD, "", "a", "life-2", "m2", 0, "", 99, LEASE);
    Awaitility.await().until(() -> {
      // A renewal that was under way may have written over it.
      file.write(next);
      return a.lease().isLost();
    });
    a.close();
    assertThat(file.read()).contains(next);
  }

  @Test
  void errorsOfLeasesSayWhatIsWrongAndNotThePathAlone() throws Exception {
    LeaseStore missing = new LeaseDirectory(root.resolve("nowhere"), locks);
    assertThatThrownBy(() -> missing.write("host-a.lease", new byte[1])).isInstanceOf(DiskException.class)
        .hasMessageEndingWith("nowhere/host-a.lease cannot be written: it is not there");
    Files.createDirectory(root.resolve("nowhere"));
    Files.createDirectory(root.resolve("nowhere/host-a.lease"));
    assertThatThrownBy(() -> missing.read("host-a.lease")).hasMessageContaining("cannot be read: ");
  }
}
