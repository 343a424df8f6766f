package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.disk.TestStorage;
import dev.pageferry.agent.nbd.NbdClient;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.VmId;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A disk as QEMU finds it, before, while and after it is this host's. */
@Timeout(60)
class ServedDisksTest {
  private static final int IO_ERROR = 5;
  private static final byte[] WORD = {'f', 'e', 'r', 'r', 'y'};

  @TempDir
  Path root;
  @TempDir
  Path machines;
  private TestStorage storage;
  private MachineFiles files;
  private QemuSpec spec;
  private ServedDisks disks;
  private NbdClient qemu;

  @BeforeEach
  void serve() throws IOException {
    storage = new TestStorage(root);
    DiskDescription disk = storage.createDisk("data", 1 << 20);
    spec = new QemuSpec(new VmId("vm-1"), "tux", 1 << 20, 1, "pc-i440fx-10.0", "qemu64", Accelerator.TCG,
        Optional.empty(),
        Optional.empty(), List.of(disk), List.of(), List.of(), List.of());
    files = MachineFiles.create(machines.resolve("vm-1"));
    disks = new ServedDisks(spec, files, storage.host("a"), Scheduler.SYSTEM);
    disks.serve();
    qemu = NbdClient.connect(files.disk(0));
  }

  @AfterEach
  void close() throws Exception {
    qemu.close();
    disks.close();
    files.close();
    storage.close();
  }

  private void open(long epoch) throws Exception {
    disks.held().open(spec, DiskClaim.orderly("vm-1", epoch));
  }

  @Test
  void untilItIsThisHostsItIsReadAndNotWritten() throws Exception {
    assertThat(qemu.read(0, 3)).containsExactly(0, 0, 0);
    assertThat(qemu.flush()).isZero();
    assertThat(qemu.write(0, WORD)).isEqualTo(IO_ERROR);
    assertThat(disks.failure().passes()).isTrue();
    assertThat(disks.failure().reason()).contains("not open on this host");
    open(1);
    assertThat(qemu.write(0, WORD)).isZero();
    assertThat(qemu.flush()).isZero();
    assertThat(qemu.read(0, WORD.length)).isEqualTo(WORD);
  }

  @Test
  void onceItWasReleasedNothingIsWrittenUntilItIsOpenedAgain() throws Exception {
    open(1);
    assertThat(qemu.write(0, WORD)).isZero();
    disks.release("migration");
    assertThat(qemu.write(0, new byte[]{1, 2, 3})).isEqualTo(IO_ERROR);
    assertThat(qemu.read(0, WORD.length)).isEqualTo(WORD);
    open(2);
    assertThat(qemu.write(512, new byte[]{1, 2, 3})).isZero();
    assertThat(qemu.read(0, WORD.length)).isEqualTo(WORD);
  }

  @Test
  void afterAFlushThatFailedNothingIsCalledSafeAnyMoreAndNoMoveTakesTheDisk() throws Exception {
    open(1);
    assertThat(qemu.write(0, WORD)).isZero();
    storage.failNextFlush("data");
    assertThat(qemu.flush()).isEqualTo(IO_ERROR);
    assertThat(disks.failure().passes()).isFalse();
    assertThat(qemu.flush()).isEqualTo(IO_ERROR);
    assertThat(disks.failure().reason()).contains("writes may be lost");
    assertThatThrownBy(() -> disks.flush()).hasMessageContaining("writes may be lost");
    assertThatThrownBy(() -> disks.release("migration")).hasMessageContaining("writes may be lost");
    assertThat(qemu.read(0, WORD.length)).isEqualTo(WORD);
  }

  @Test
  void aFlushThatFailedElsewhereCountsForTheGuestToo() throws Exception {
    open(1);
    storage.failNextFlush("data");
    assertThatThrownBy(() -> disks.flush()).isInstanceOf(IOException.class);
    assertThat(qemu.flush()).isEqualTo(IO_ERROR);
  }

  @Test
  void aGuestThatIsGoneHasLetGoOfItsDisk() throws Exception {
    open(1);
    disks.close();
    assertThatThrownBy(() -> qemu.read(0, 1)).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> open(2)).hasMessageContaining("gone from this host");
    assertThat(files.disk(0)).doesNotExist();
  }
}
