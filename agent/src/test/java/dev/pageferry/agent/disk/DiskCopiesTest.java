package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.disk.IncomingDisks.Origin;
import dev.pageferry.agent.os.DataExtents.Extent;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Disks on their way between two storages, as their files show it. */
class DiskCopiesTest {
  private static final VmId VM = new VmId("vm-1");
  private static final int BLOCKS = 256;
  private static final long DISK_BYTES = BLOCKS * (long) PageSize.BYTES;

  @TempDir
  Path here;
  @TempDir
  Path there;
  private final ProcessLocks locks = new ProcessLocks();
  private final List<SharedStorage> storages = new ArrayList<>();
  private SharedStorage source;
  private SharedStorage destination;
  private List<DiskDescription> disks = List.of();

  @BeforeEach
  void open() throws IOException {
    source = storage(here, "a");
    destination = storage(there, "b");
    disks = List.of(source.disks().create("data", DiskFormat.VHD, DISK_BYTES),
        source.disks().create("log", DiskFormat.RAW, 3 * 512));
  }

  @AfterEach
  void close() throws InterruptedException {
    for (SharedStorage each : storages) {
      each.close();
    }
  }

  private SharedStorage storage(Path root, String host) throws IOException {
    SharedStorage storage = new SharedStorage(root, new StorageLease.Holder(host, "life-of-" + host, "machine"),
        new SharedStorage.Timing(Duration.ofSeconds(10), Duration.ofMillis(100)), new SharedStorage.Environment(
            locks, System::nanoTime, Scheduler.SYSTEM),
        Devices.SYSTEM, fenced -> {
        });
    storages.add(storage);
    return storage;
  }

  private static Origin origin(long epoch, String migration) {
    return new Origin(VM, new OwnershipEpoch(epoch), new MigrationId(migration));
  }

  private static ByteBuffer block(long value) {
    ByteBuffer block = ByteBuffer.allocate(PageSize.BYTES);
    while (block.hasRemaining()) {
      block.putLong(value);
    }
    return block.flip();
  }

  private static byte[] read(SharedStorage storage, DiskDescription disk) throws IOException {
    try (DiskReader reader = storage.disks().reader(disk.name())) {
      ByteBuffer all = ByteBuffer.allocate((int) disk.sizeBytes());
      reader.read(0, all);
      return all.array();
    }
  }

  @Test
  void aCopyHasNoNameBeforeItIsPromotedAndIsTheSameDiskThen() throws Exception {
    IncomingDisks incoming = destination.copies().prepare(disks, origin(1, "m-1"), DISK_BYTES);
    incoming.write(0, PageSize.BYTES, block(7));
    // The last block of a disk may be a part of one.
    incoming.write(1, 0, block(8));
    incoming.flush();
    assertThat(destination.disks().list()).isEmpty();
    incoming.promote();
    incoming.promote();

    assertThat(destination.disks().list()).isEqualTo(disks);
    DiskSet opened = destination.open(disks, DiskClaim.orderly(VM.value(), 2));
    ByteBuffer back = ByteBuffer.allocate(PageSize.BYTES);
    opened.disk(0).read(PageSize.BYTES, back);
    assertThat(back).isEqualTo(block(7));
    opened.release("");
    assertThat(destination.copies().left()).isEmpty();
  }

  @Test
  void whatIsDiscardedIsGoneAndWhatHasAnotherOnesNameStays() throws Exception {
    destination.copies().prepare(disks, origin(1, "m-1"), 0).discard();
    assertThat(destination.copies().left()).isEmpty();
    IncomingDisks tooLate = destination.copies().prepare(disks, origin(1, "m-2"), 0);
    DiskDescription other = destination.disks().create("data", DiskFormat.VHD, DISK_BYTES);
    assertThatThrownBy(tooLate::promote).hasMessageContaining("there is another disk data");
    tooLate.discard();
    assertThat(destination.disks().list()).containsExactly(other);
    assertThatThrownBy(() -> destination.copies().prepare(disks, origin(1, "m-3"), 0))
        .hasMessageContaining("there is another disk data");
  }

  @Test
  void disksThatWerePromotedForNothingAreRemovedAgain() throws Exception {
    IncomingDisks incoming = destination.copies().prepare(disks, origin(1, "m-1"), 0);
    incoming.promote();
    incoming.discard();
    assertThat(destination.disks().list()).isEmpty();
    // As by a life that could not tidy up any more: known for what they are, they are in nobody's way.
    destination.copies().prepare(disks, origin(3, "m-2"), 0).promote();
    destination.copies().prepare(disks, origin(5, "m-3"), 0).promote();
    assertThat(destination.disks().list()).isEqualTo(disks);
  }

  @Test
  void aPromotionThatACrashCutShortIsCompletedByTheNextIncarnation() throws Exception {
    IncomingDisks incoming = destination.copies().prepare(disks, origin(1, "m-1"), 0);
    incoming.write(0, 0, block(5));
    incoming.close();
    // The crash: a name was given, and the other one not taken away.
    Path directory = there.resolve("incoming/b/vm-1,1,m-1");
    Files.createDirectories(there.resolve("disks"));
    Files.createLink(there.resolve("disks/data.vhd"), directory.resolve("data.vhd"));
    Files.copy(directory.resolve("log.raw.identity"), there.resolve("disks/log.raw.identity"));
    destination.copies().promote(origin(1, "m-1"));
    assertThat(destination.disks().list()).isEqualTo(disks);
    assertThat(ByteBuffer.wrap(read(destination, disks.getFirst())).getLong()).isEqualTo(5);
    assertThat(destination.copies().left()).isEmpty();
  }

  @Test
  void aDamagedDiskIsNotThrownAwayByItsPromotion() throws Exception {
    destination.copies().prepare(disks, origin(1, "m-1"), 0).close();
    Path damaged = there.resolve("incoming/b/vm-1,1,m-1/data.vhd");
    try (FileChannel file = FileChannel.open(damaged, StandardOpenOption.WRITE)) {
      file.truncate(DISK_BYTES);
    }
    assertThatThrownBy(() -> destination.copies().promote(origin(1, "m-1"))).hasMessageContaining("is no disk");
    assertThat(damaged).exists();
  }

  @Test
  void aRawDiskThatMovesTwiceKeepsTheIdentityOfTheFirst() throws Exception {
    source.open(disks, DiskClaim.orderly(VM.value(), 1)).release("m-1");
    destination.copies().prepare(disks, origin(1, "m-1"), 0).promote();
    source.copies().prepare(disks, origin(2, "m-2"), 0).promote();
    assertThat(source.disks().list()).isEqualTo(disks);
    assertThat(Files.readAllLines(here.resolve("disks/log.raw.identity"))).isNotEmpty();
  }

  @Test
  void anOlderCopyOfTheSameDiskIsReplacedAndANewerOneIsNot() throws Exception {
    source.open(disks, DiskClaim.orderly(VM.value(), 3)).release("m-1");
    IncomingDisks back = source.copies().prepare(disks, origin(4, "m-2"), 0);
    back.write(0, 0, block(9));
    back.promote();
    assertThat(ByteBuffer.wrap(read(source, disks.getFirst())).getLong()).isEqualTo(9);

    source.open(disks, DiskClaim.orderly(VM.value(), 5)).release("");
    assertThatThrownBy(() -> source.copies().prepare(disks, origin(4, "m-3"), 0))
        .hasMessageContaining("there is another disk");
  }

  @Test
  void onlyDisksThatTheVmLeftAreRetired() throws Exception {
    source.open(disks, DiskClaim.orderly(VM.value(), 3)).release("m-1");
    source.copies().retire(disks, new VmId("vm-2"), new OwnershipEpoch(9));
    source.copies().retire(disks, VM, new OwnershipEpoch(2));
    assertThat(source.disks().list()).isEqualTo(disks);
    DiskSet open = source.open(disks, DiskClaim.orderly(VM.value(), 3));
    assertThatThrownBy(() -> source.copies().retire(disks, VM, new OwnershipEpoch(3)))
        .hasMessageContaining("is open on a host");
    open.release("m-2");
    source.copies().retire(disks, VM, new OwnershipEpoch(3));
    assertThat(source.disks().list()).isEmpty();
  }

  @Test
  void whatAnEarlierIncarnationLeftIsFoundAndOtherFilesAreNot() throws Exception {
    destination.copies().prepare(disks, origin(4, "m-1"), 0).close();
    Files.createDirectory(there.resolve("incoming/b/lost+found"));
    assertThat(destination.copies().left()).containsExactly(origin(4, "m-1"));
    destination.copies().promote(origin(4, "m-1"));
    assertThat(destination.disks().list()).isEqualTo(disks);
  }

  @Test
  void aRawDiskThatTakesThePlaceOfOneThatCameIsAnotherDisk() throws Exception {
    destination.copies().prepare(disks, origin(1, "m-1"), 0).promote();
    Path raw = there.resolve("disks/log.raw");
    Files.move(raw, there.resolve("disks/kept.raw"));
    Files.copy(there.resolve("disks/kept.raw"), raw);
    assertThatThrownBy(() -> destination.check(disks)).hasMessageContaining("is not the one that the VM has");
  }

  @Test
  void onlyThePartsOfASparseDiskThatHoldDataAreCopied() throws Exception {
    DiskDescription large = source.disks().create("large", DiskFormat.RAW, 1L << 40);
    DiskSet open = source.open(List.of(large), DiskClaim.orderly(VM.value(), 1));
    open.disk(0).write(1L << 39, block(1));
    open.release("");
    try (DiskReader reader = source.disks().reader("large")) {
      List<Extent> extents = reader.dataExtents();
      assertThat(extents).anySatisfy(each -> assertThat(each.offset()).isLessThanOrEqualTo(1L << 39));
      assertThat(extents.stream().mapToLong(Extent::length).sum()).isLessThan(1 << 30);
    }
  }

  /** A copy made in rounds of harvested blocks, while a writer never pauses, is the disk once the writer has stopped. */
  @Test
  void aCopyOfWhatWasMarkedMissesNoWrite() throws Exception {
    DiskSet open = source.open(disks.subList(0, 1), DiskClaim.orderly(VM.value(), 1));
    WriteTracking tracking = open.trackWrites();
    AtomicBoolean stop = new AtomicBoolean();
    List<Throwable> failures = new ArrayList<>();
    Thread writer = Thread.ofPlatform().start(() -> {
      Random random = new Random(1);
      try {
        while (!stop.get()) {
          open.disk(0).write(random.nextInt(BLOCKS - 1) * (long) PageSize.BYTES + 512 * random.nextInt(8),
              block(random.nextLong()));
        }
      } catch (IOException e) {
        failures.add(e);
      }
    });
    ByteBuffer copy = ByteBuffer.allocate((int) DISK_BYTES);
    try (DiskReader reader = source.disks().reader("data")) {
      for (int round = 0; round < 300; round++) {
        copyMarked(tracking, reader, copy);
      }
      stop.set(true);
      writer.join();
      copyMarked(tracking, reader, copy);
    }
    assertThat(failures).isEmpty();
    assertThat(copy.array()).isEqualTo(read(source, disks.getFirst()));
    tracking.close();
    open.release("");
  }

  private static void copyMarked(WriteTracking tracking, DiskReader reader, ByteBuffer copy) throws IOException {
    BitSet marked = tracking.harvest(0);
    ByteBuffer block = ByteBuffer.allocate(PageSize.BYTES);
    for (int i = marked.nextSetBit(0); i >= 0; i = marked.nextSetBit(i + 1)) {
      reader.read(i * (long) PageSize.BYTES, block.clear());
      copy.put(i * PageSize.BYTES, block, 0, PageSize.BYTES);
    }
  }

  @Test
  void disksNeedRoomAndFilesOfTheirOwn() throws Exception {
    assertThatThrownBy(() -> destination.copies().prepare(disks, origin(1, "m-1"), Long.MAX_VALUE))
        .hasMessageContaining("free, the VM's disks hold");
    Path file = Files.write(here.resolve("passed.img"), new byte[4096]);
    DiskDescription passed = new DiskDirectory(there, Clock.systemUTC()).show(file.toString());
    assertThatThrownBy(() -> destination.copies().prepare(List.of(passed), origin(1, "m-1"), 0))
        .hasMessageContaining("passed through by its path");
    assertThat(destination.copies().left()).isEmpty();
  }
}
