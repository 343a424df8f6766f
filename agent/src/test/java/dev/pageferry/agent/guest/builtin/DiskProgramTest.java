package dev.pageferry.agent.guest.builtin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.pageferry.agent.disk.BlockDevice;
import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.disk.DiskFormat;
import dev.pageferry.agent.disk.ProcessLocks;
import dev.pageferry.agent.disk.SharedStorage;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.os.Linux;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The programs that use a disk. */
@Timeout(60)
final class DiskProgramTest {
  private static final int SLOTS = 10;

  /** Sectors in memory. */
  private static final class Ram implements BlockDevice {
    private final byte[] bytes;

    Ram(int size) {
      bytes = new byte[size];
    }

    @Override
    public long sizeBytes() {
      return bytes.length;
    }

    @Override
    public void read(long offset, ByteBuffer target) {
      target.put(bytes, (int) offset, target.remaining()).flip();
    }

    @Override
    public void write(long offset, ByteBuffer source) {
      source.get(bytes, (int) offset, source.remaining());
    }

    @Override
    public void flush() {
    }
  }

  private static void append(JournalProgram program, Registers registers, BlockDevice disk) throws Exception {
    try (PageStore ram = PageStore.allocate(PageSize.BYTES)) {
      program.nextRequest(registers, ram, 1).carryOut(disk);
    }
    registers.set(Registers.PROGRAM_COUNTER, registers.get(Registers.PROGRAM_COUNTER) + 1);
  }

  @Test
  void aJournalGoesOnBehindItsLastRecordHoweverManyLapsItHasMade() throws Exception {
    Ram disk = new Ram(SLOTS * JournalProgram.RECORD_BYTES);
    JournalProgram program = new JournalProgram(0, 0, SLOTS, 0);
    for (int records = 0; records < 4 * SLOTS; records++) {
      assertThat(program.registersAtBoot(List.of(disk)).get(Registers.JOURNAL_BASE)).isEqualTo(records);
      append(program, program.registersAtBoot(List.of(disk)), disk);
    }
  }

  @Test
  void aRecordThatWasBeingWrittenCountsAsNeverWritten() throws Exception {
    Ram disk = new Ram(SLOTS * JournalProgram.RECORD_BYTES);
    JournalProgram program = new JournalProgram(0, 0, SLOTS, 0);
    for (int records = 1; records < 4 * SLOTS; records++) {
      append(program, program.registersAtBoot(List.of(disk)), disk);
      byte[] whole = disk.bytes.clone();
      // The next one, torn in the middle.
      append(program, program.registersAtBoot(List.of(disk)), disk);
      int slot = (records + 1) % SLOTS * JournalProgram.RECORD_BYTES;
      System.arraycopy(whole, slot + 256, disk.bytes, slot + 256, 256);
      assertThat(program.registersAtBoot(List.of(disk)).get(Registers.JOURNAL_BASE)).as("after %d", records)
          .isEqualTo(records);
      System.arraycopy(whole, 0, disk.bytes, 0, whole.length);
    }
  }

  @Test
  void anotherGuestsBytesAreNoJournal() throws Exception {
    Ram disk = new Ram(SLOTS * JournalProgram.RECORD_BYTES);
    new Random(3).nextBytes(disk.bytes);
    JournalProgram program = new JournalProgram(0, 0, SLOTS, 0);
    assertThat(program.registersAtBoot(List.of(disk)).get(Registers.JOURNAL_BASE)).isZero();
  }

  @ParameterizedTest
  @CsvSource({"journal, 2000", "diskmix, 20000"})
  void aProgramThatUsesADiskIsItsTwin(String name, long enough, @TempDir Path root) throws Exception {
    try (SharedStorage storage = storage(root)) {
      DiskDescription disk = storage.disks().create("data", DiskFormat.VHD, 1 << 20);
      HostMemory memory = new HostMemory(64 << 20);
      VmFactory factory = new VmFactory(memory, new GuestDisks(Optional.of(storage)), Ticker.SYSTEM);
      VmSpec spec = spec(name, Map.of("rate", "unlimited"), 2, disk);
      try (VirtualMachine vm = Booted.vm(factory, spec, 1)) {
        vm.resume(PauseReason.OPERATOR);
        // A journal flushes at each: several times around its part of the disk, which a slow one does in seconds.
        Awaitility.await().until(() -> vm.steps() > enough);
        assertThat(vm.verify((steps, total) -> {
        }).identical()).isTrue();
        vm.pause(PauseReason.OPERATOR);
      }
      // Its disks were released with it; the next boot goes on behind what is there.
      try (VirtualMachine again = Booted.vm(factory, spec, 2)) {
        again.resume(PauseReason.OPERATOR);
        Awaitility.await().until(() -> again.steps() > 2_000);
        assertThat(again.verify((steps, total) -> {
        }).identical()).isTrue();
      }
    }
  }

  @Test
  void aVmWaitsWhileItsDiskFailsAndGoesOnWhenItAnswers(@TempDir Path root) throws Exception {
    try (SharedStorage storage = storage(root)) {
      DiskDescription disk = storage.disks().create("data", DiskFormat.RAW, 1 << 20);
      GuestDisks disks = new GuestDisks(Optional.of(storage));
      VmFactory factory = new VmFactory(new HostMemory(64 << 20), disks, Ticker.SYSTEM);
      try (VirtualMachine vm = Booted.vm(factory, spec("journal", Map.of("rate", "unlimited"), 1, disk), 1)) {
        vm.resume(PauseReason.OPERATOR);
        Awaitility.await().until(() -> vm.steps() > 10);
        vm.releaseDisks("");
        vm.pause(PauseReason.OPERATOR);
        long stood = vm.steps();
        vm.resume(PauseReason.OPERATOR);
        assertThat(vm.awaitFirstSign(50)).isZero();
        assertThat(vm.steps()).isEqualTo(stood);
        vm.openDisks(DiskClaim.orderly("vm-1", 1));
        Awaitility.await().until(() -> vm.steps() > stood);
      }
    }
  }

  @Test
  void aVmWhoseDisksFenceMarkCannotBeReadWaitsAndGoesOnByItself(@TempDir Path root) throws Exception {
    try (SharedStorage storage = storage(root)) {
      DiskDescription disk = storage.disks().create("data", DiskFormat.RAW, 1 << 20);
      VmFactory factory = new VmFactory(new HostMemory(64 << 20), new GuestDisks(Optional.of(storage)), Ticker.SYSTEM);
      try (VirtualMachine vm = Booted.vm(factory, spec("journal", Map.of("rate", "unlimited"), 1, disk), 1)) {
        vm.resume(PauseReason.OPERATOR);
        Awaitility.await().until(() -> vm.steps() > 10);
        Path mark = Files.createDirectory(root.resolve("leases/disk-data.fence"));
        // A step that takes longer than the wait for it: none is done any more.
        Awaitility.await().until(() -> {
          long steps = vm.steps();
          vm.pause(PauseReason.OPERATOR);
          vm.resume(PauseReason.OPERATOR);
          return vm.awaitFirstSign(50) == 0 && vm.steps() == steps;
        });
        long stopped = vm.steps();
        Files.delete(mark);
        Awaitility.await().until(() -> vm.steps() > stopped);
      }
    }
  }

  private static SharedStorage storage(Path root) throws IOException {
    return new SharedStorage(root, "a", "life", new SharedStorage.Environment(new ProcessLocks(), Linux::bootTimeNanos,
        Scheduler.SYSTEM), set -> {
        });
  }

  @Test
  void aProgramWithoutItsDiskIsRefused() {
    assertThatIllegalArgumentException().isThrownBy(() -> spec("journal", Map.of(), 1))
        .withMessageContaining("add --disk");
    assertThatIllegalArgumentException().isThrownBy(() -> spec("journal", Map.of("disk", "1"), 1, disk(1 << 20)))
        .withMessageContaining("uses disk 1");
    assertThatIllegalArgumentException().isThrownBy(() -> spec("diskmix", Map.of(), 2, disk(8192)))
        .withMessageContaining("at least");
    assertThatIllegalArgumentException().isThrownBy(() -> spec("idle", Map.of("disk", "0"), 1))
        .withMessageContaining("no argument 'disk'");
    assertThatIllegalArgumentException().isThrownBy(() -> spec("idle", Map.of(), 1, disk(8192), disk(8192)))
        .withMessageContaining("named twice");
  }

  private static DiskDescription disk(long bytes) {
    return new DiskDescription("data", DiskFormat.RAW, bytes, "inode-1");
  }

  private static VmSpec spec(String program, Map<String, String> arguments, int vcpus, DiskDescription... disks) {
    long bytes = PageSize.bytesOf(256);
    return new VmSpec(new VmId("vm-1"), "test", bytes, vcpus,
        new ProgramSpec(program, new HashMap<>(arguments), bytes, vcpus), Optional.empty(), Optional.empty(),
        List.of(disks));
  }
}
