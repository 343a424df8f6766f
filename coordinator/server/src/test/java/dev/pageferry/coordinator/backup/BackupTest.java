package dev.pageferry.coordinator.backup;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.coordinator.store.RecordStore.Snapshot;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Records that are backed up, and put in place of others. */
class BackupTest {
  private static final String FILE = SqliteRecordStore.FILE;

  @TempDir
  Path directory;
  private Path backup;
  private List<String> backedUp = List.of();

  @BeforeEach
  void backUp() throws IOException {
    backup = directory.resolve(Restoration.BACKUP);
    try (SqliteRecordStore store = SqliteRecordStore.open(directory)) {
      put(store, "vms/1", "one");
      put(store, "vms/2", "two");
      put(store, "vms/1", "one again");
      try (OutputStream out = Files.newOutputStream(backup)) {
        BackupWriter.write(store.snapshot(), "0.2.0", 1_700_000_000_123L, out);
      }
      backedUp = described(store.snapshot());
      put(store, "vms/3", "three");
    }
  }

  private static void put(SqliteRecordStore store, String key, String value) {
    assertThat(store.commit(new Transaction().put(key, value.getBytes(UTF_8)))).isTrue();
  }

  private static List<String> described(Snapshot snapshot) {
    return Stream.concat(Stream.of("revision " + snapshot.revision()), snapshot.records().stream()
        .map(each -> "%s %d %s".formatted(each.key(), each.revision(), new String(each.value(), UTF_8)))).toList();
  }

  private List<String> records() throws IOException {
    try (SqliteRecordStore store = SqliteRecordStore.open(directory)) {
      return described(store.snapshot());
    }
  }

  private List<Path> aside() throws IOException {
    try (Stream<Path> all = Files.list(directory)) {
      return all.filter(each -> each.getFileName().toString().startsWith("before-restore-")).sorted().toList();
    }
  }

  private void assertRestored() throws IOException {
    assertThat(records()).isEqualTo(backedUp);
    assertThat(backup).doesNotExist();
  }

  @Test
  void recordsComeBackWithTheirRevisionsAndThoseOfBeforeAreKept() throws Exception {
    Restoration.carryOut(directory, "0.2.1");
    assertRestored();
    try (SqliteRecordStore store = SqliteRecordStore.open(aside().getFirst())) {
      assertThat(store.get("vms/3")).isPresent();
    }
    try (SqliteRecordStore store = SqliteRecordStore.open(directory)) {
      put(store, "vms/4", "four");
      assertThat(store.revision()).as("counts on from the backup").isEqualTo(4);
    }
    Restoration.carryOut(directory, "0.2.1");
    assertThat(records()).as("once").hasSize(4);
  }

  @Test
  void aDirectoryWithoutRecordsGetsThoseOfTheBackup() throws Exception {
    Path empty = Files.createDirectory(directory.resolve("elsewhere"));
    Files.copy(backup, empty.resolve(Restoration.BACKUP));
    Restoration.carryOut(empty, "0.2.1");
    try (SqliteRecordStore store = SqliteRecordStore.open(empty)) {
      assertThat(described(store.snapshot())).isEqualTo(backedUp);
    }
  }

  @Test
  void aBackupThatIsDamagedChangesNothing() throws Exception {
    List<String> before = records();
    byte[] bytes = Files.readAllBytes(backup);
    bytes[bytes.length / 2] ^= 1;
    Files.write(backup, bytes);
    assertThatThrownBy(() -> Restoration.carryOut(directory, "0.2.1")).isInstanceOf(IOException.class)
        .hasMessageContaining("the backup that is to be restored cannot be used").hasMessageContaining("SHA-256");
    assertThat(records()).isEqualTo(before);
    assertThat(aside()).isEmpty();
  }

  @Test
  void aBackupOfAVersionThatIsTooFarAwayIsRefused() throws Exception {
    assertThatThrownBy(() -> Restoration.carryOut(directory, "0.9.0")).isInstanceOf(IOException.class)
        .hasMessageContaining("is of version 0.2.0, too far from 0.9.0");
    assertThat(backup).exists();
  }

  @Test
  void recordsThatAreMadeNeedNoOtherFile() throws Exception {
    Restoration.carryOut(directory, "0.2.1");
    assertThat(Files.list(directory).map(each -> each.getFileName().toString()))
        .contains(FILE).doesNotContain(FILE + "-wal", FILE + ".restoring-wal", FILE + ".restoring");
  }

  @Test
  void recordsThatACoordinatorUsesAreNotTakenFromIt() throws Exception {
    try (SqliteRecordStore used = SqliteRecordStore.open(directory)) {
      put(used, "vms/5", "five");
      assertThatThrownBy(() -> Restoration.carryOut(directory, "0.2.1")).isInstanceOf(IOException.class)
          .hasMessageContaining("used by another coordinator");
      put(used, "vms/6", "six");
    }
    assertThat(records()).contains("vms/6 6 six");
    assertThat(backup).exists();
  }

  @Test
  void recordsThatAreBrokenAreReplaced() throws Exception {
    Files.writeString(directory.resolve(FILE), "no database");
    Restoration.carryOut(directory, "0.2.1");
    assertRestored();
    assertThat(aside().getFirst().resolve(FILE)).hasContent("no database");
  }

  @Test
  void aRestoreThatWasCutShortAnywhereIsBegunAnew() throws Exception {
    // While the new records were written.
    Files.writeString(directory.resolve(FILE + ".restoring"), "half");
    Files.writeString(directory.resolve(FILE + ".restoring-wal"), "half");
    Files.writeString(directory.resolve(FILE + ".restoring-journal"), "half");
    Files.copy(backup, directory.resolve("again"));
    Restoration.carryOut(directory, "0.2.1");
    assertRestored();
    // Those of before were put aside, and the new ones not there yet.
    Files.copy(directory.resolve("again"), backup);
    Files.move(directory.resolve(FILE), Files.createDirectory(directory.resolve("before-restore-2")).resolve(FILE));
    Restoration.carryOut(directory, "0.2.1");
    assertRestored();
    // The new ones were in place, and the backup still there.
    Files.copy(directory.resolve("again"), backup);
    Restoration.carryOut(directory, "0.2.1");
    assertRestored();
    assertThat(aside()).as("of the first and the last; what was aside already stays as it is").hasSize(3);
  }
}
