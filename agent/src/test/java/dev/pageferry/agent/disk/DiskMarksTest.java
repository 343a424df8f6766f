package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Marks: how one who takes a disk over tells whoever had it. */
final class DiskMarksTest extends SharedStorageFixture {
  @Test
  void aDiskWhoseMarkCannotBeReadIsNotWrittenUntilItCanAndThenGoesOnByItself() throws Exception {
    SharedStorage a = host("a", "m1");
    DiskSet unknown = a.open(disks.subList(0, 1), FIRST);
    DiskSet known = a.open(disks.subList(1, 2), DiskClaim.orderly("vm-2", 1));
    // A directory cannot be read as a file: an input error, as from failing storage.
    Path mark = Files.createDirectory(root.resolve("leases/disk-data.fence"));
    awaitRenewal(a);
    assertThatThrownBy(() -> unknown.disk(0).write(0, sector())).isInstanceOf(DiskException.class)
        .hasMessageContaining("until it is known whether another host is to have it");
    known.disk(0).write(0, sector());
    assertThat(unknown.isFenced()).as("nobody has said so").isFalse();

    Files.delete(mark);
    unknown.disk(0).write(0, sector());
    assertThat(fenced).isEmpty();
  }

  @Test
  void aMarkThatCannotBeReadDoesNotHideThatOfAnotherDisk() throws Exception {
    SharedStorage a = host("a", "m1");
    DiskSet set = a.open(disks, FIRST);
    Files.createDirectory(root.resolve("leases/disk-data.fence"));
    leaseFile("disk-log.fence").write(record(LeaseRecord.State.FENCED, "vm-1", 2));
    assertThat(fenced.poll(10, TimeUnit.SECONDS)).isSameAs(set);
    assertThat(a.lease().isLive()).isTrue();
  }

  @Test
  void aDamagedMarkOrLeaseHoldsOnlyItsOwnDisk() throws Exception {
    SharedStorage a = host("a", "m1");
    DiskSet damaged = a.open(disks.subList(0, 1), FIRST);
    DiskSet sound = a.open(disks.subList(1, 2), DiskClaim.orderly("vm-2", 1));
    Path lease = root.resolve("leases/disk-data.lease");
    byte[] before = Files.readAllBytes(lease);
    replace(lease, "pageferry-lease 1\nnonsense\n".getBytes(StandardCharsets.UTF_8));
    awaitRenewal(a);
    assertThatThrownBy(() -> damaged.disk(0).write(0, sector())).hasMessageContaining("until it is known");
    sound.disk(0).write(0, sector());
    replace(lease, before);
    damaged.disk(0).write(0, sector());
  }

  /** At once, as leases are written: whoever renews meanwhile reads the one or the other, and no half of it. */
  private void replace(Path file, byte[] content) throws IOException {
    Path next = Files.write(elsewhere.resolve("next"), content);
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
  }

  @Test
  void whatWasMarkedBeforeADisksFirstInspectionIsSeenByIt() throws Exception {
    SharedStorage a = host("a", "m1");
    LeaseSlot slot = LeaseSlot.ofNamed(leases(), "data");
    a.lease().awaitLive(Duration.ofSeconds(10));
    DiskLease taken = DiskLease.take(List.of(slot), "data", FIRST, a.lease(), System::nanoTime, Scheduler.SYSTEM);
    LeasedDisk disk = new LeasedDisk(disks.get(0), a.disks().open("data"), taken, a.lease(), Scheduler.SYSTEM);
    slot.mark().write(record(LeaseRecord.State.FENCED, "vm-1", 2));
    assertThatThrownBy(() -> disk.write(0, sector())).as("no renewal has inspected it, but its own look does")
        .hasMessageContaining("another host's to have");
    disk.abandon();
  }

  @Test
  void aStaleMarkOfAVmThatIsGoneDoesNotFenceTheNextOne() throws Exception {
    SharedStorage a = host("a", "m1");
    leaseFile("disk-data.fence").write(record(LeaseRecord.State.FENCED, "vm-gone", 7));
    DiskSet set = a.open(disks, FIRST);
    awaitRenewal(a);
    set.disk(0).write(0, sector());
  }

  @Test
  void aMarkOfAnotherVmFencesWhateverItsEpoch() throws Exception {
    SharedStorage a = host("a", "m1");
    DiskSet set = a.open(disks, DiskClaim.orderly("vm-1", 5));
    leaseFile("disk-log.fence").write(record(LeaseRecord.State.FENCED, "vm-2", 1));
    assertThat(fenced.poll(10, TimeUnit.SECONDS)).isSameAs(set);
  }
}
