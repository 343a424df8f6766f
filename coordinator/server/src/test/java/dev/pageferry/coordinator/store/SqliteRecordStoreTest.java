package dev.pageferry.coordinator.store;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SqliteRecordStoreTest {
  @TempDir
  Path directory;
  private SqliteRecordStore store;

  @BeforeEach
  void open() throws IOException {
    store = SqliteRecordStore.open(directory);
  }

  @AfterEach
  void close() {
    store.close();
  }

  @Test
  void aKeyThatWasNeverWrittenHasNoRecord() {
    assertThat(store.get("hosts/a")).isEmpty();
    assertThat(store.list("hosts/")).isEmpty();
    assertThat(store.list("")).isEmpty();
  }

  @Test
  void aRecordIsReadAsItWasWritten() {
    byte[] value = new byte[100_000];
    IntStream.range(0, value.length).forEach(i -> value[i] = (byte) (i * 31));
    assertThat(store.commit(new Transaction().put("vms/1", value).put("vms/empty", new byte[0]))).isTrue();

    assertThat(read("vms/1").value()).isEqualTo(value);
    assertThat(read("vms/1").key()).isEqualTo("vms/1");
    assertThat(read("vms/empty").value()).isEmpty();
  }

  @Test
  void whoReadsDoesNotWaitForACommitThatWaitsForItsDisk() throws Exception {
    put("vms/1", "one");
    try (ExecutorService reader = Executors.newSingleThreadExecutor()) {
      // As a commit does.
      synchronized (store) {
        assertThat(reader.submit(() -> store.get("vms/1")).get(10, TimeUnit.SECONDS)).isPresent();
        assertThat(reader.submit(() -> store.list("vms/")).get(10, TimeUnit.SECONDS)).hasSize(1);
        assertThat(reader.submit(() -> store.revision()).get(10, TimeUnit.SECONDS)).isEqualTo(1);
      }
    }
  }

  @Test
  void aStoreWhoseDiskWasFullIsReadAllTheWhileAndWrittenAgainOnceThereIsRoom() throws Exception {
    put("vms/1", "one");
    store.limitPages(1);
    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(() -> store.commit(new Transaction().put("vms/1", new byte[1 << 20])))
          .isInstanceOf(StoreException.class).hasMessageContaining("cannot be written").hasMessageContaining("full");
      assertThat(text("vms/1")).isEqualTo("one");
    }
    store.limitPages(1 << 20);
    put("vms/1", "two");
    store.close();
    store = SqliteRecordStore.open(directory);
    assertThat(text("vms/1")).isEqualTo("two");
  }

  @Test
  void aStoreThatIsClosedIsNotRead() {
    put("vms/1", "one");
    store.close();
    assertThatThrownBy(() -> store.get("vms/1")).isInstanceOf(StoreException.class).hasMessageContaining("closed");
    assertThatThrownBy(() -> put("vms/1", "two")).isInstanceOf(StoreException.class);
  }

  @Test
  void everyTransactionHasALaterRevisionThanTheOneBefore() {
    long before = 0;
    for (int i = 0; i < 20; i++) {
      put("vms/" + i % 3, "value " + i);
      long revision = read("vms/" + i % 3).revision();
      assertThat(revision).isGreaterThan(before);
      before = revision;
    }
  }

  @Test
  void writesOfOneTransactionHaveOneRevision() {
    store.commit(new Transaction().put("a", bytes("1")).put("b", bytes("2")));
    assertThat(read("a").revision()).isEqualTo(read("b").revision()).isPositive();
  }

  @Test
  void aRecordThatIsWrittenAgainAfterItsDeletionIsNotTheOneThatWasRead() {
    put("a", "first");
    Versioned first = read("a");
    store.commit(new Transaction().delete("a"));
    put("a", "first");

    assertThat(store.commit(new Transaction().ifUnchanged(first).put("a", bytes("stale")))).isFalse();
    assertThat(text("a")).isEqualTo("first");
  }

  @Test
  void aWriteToTheRecordThatWasReadWins() {
    put("a", "1");
    assertThat(store.commit(new Transaction().ifUnchanged(read("a")).put("a", bytes("2")))).isTrue();
    assertThat(text("a")).isEqualTo("2");
  }

  @Test
  void oneFailedComparisonChangesNothingAndUsesNoRevision() {
    put("a", "1");
    put("b", "1");
    Versioned stale = read("b");
    put("b", "2");
    List<Versioned> before = store.list("");

    assertThat(store.commit(new Transaction().ifUnchanged(read("a")).ifUnchanged(stale).put("a", bytes("9"))
        .put("c", bytes("9")).delete("b"))).isFalse();

    assertThat(store.list("")).usingRecursiveComparison().isEqualTo(before);
    put("c", "3");
    assertThat(read("c").revision()).isEqualTo(before.getLast().revision() + 1);
  }

  @Test
  void aRecordThatMustBeAbsentIsWrittenOnce() {
    assertThat(store.commit(new Transaction().ifAbsent("names/x").put("names/x", bytes("1")))).isTrue();
    assertThat(store.commit(new Transaction().ifAbsent("names/x").put("names/x", bytes("2")))).isFalse();
    assertThat(text("names/x")).isEqualTo("1");

    store.commit(new Transaction().delete("names/x"));
    assertThat(store.commit(new Transaction().ifAbsent("names/x").put("names/x", bytes("3")))).isTrue();
  }

  @Test
  void aDeletedRecordIsGoneAndDeletingItAgainIsNoError() {
    put("a", "1");
    Versioned read = read("a");
    assertThat(store.commit(new Transaction().ifUnchanged(read).delete("a"))).isTrue();
    assertThat(store.get("a")).isEmpty();
    assertThat(store.commit(new Transaction().delete("a"))).isTrue();
    assertThat(store.commit(new Transaction().ifUnchanged(read).delete("a"))).isFalse();
  }

  @Test
  void aListHoldsTheKeysOfThePrefixAloneInOrder() {
    for (String key : List.of("vms/b", "vm-names/b", "vms", "vms/", "vms/a", "vms/~", "vms0", "Vms/a", "vms/a/deep")) {
      put(key, key);
    }
    assertThat(store.list("vms/")).extracting(Versioned::key)
        .containsExactly("vms/", "vms/a", "vms/a/deep", "vms/b", "vms/~");
    assertThat(store.list("vm-names/")).extracting(Versioned::key).containsExactly("vm-names/b");
    assertThat(store.list("none/")).isEmpty();
    assertThat(store.list("")).hasSize(9);
  }

  @Test
  void charactersThatMeanSomethingToSqlAreOrdinaryInKeys() {
    put("vms/%", "percent");
    put("vms/_'; DROP TABLE records; --", "quote");
    assertThat(store.list("vms/%")).extracting(Versioned::key).containsExactly("vms/%");
    assertThat(text("vms/_'; DROP TABLE records; --")).isEqualTo("quote");
  }

  @Test
  void recordsAndRevisionsSurviveAReopening() throws IOException {
    put("a", "1");
    put("a", "2");
    long revision = read("a").revision();
    store.close();
    store = SqliteRecordStore.open(directory);

    assertThat(text("a")).isEqualTo("2");
    assertThat(read("a").revision()).isEqualTo(revision);
    put("b", "1");
    assertThat(read("b").revision()).isGreaterThan(revision);
  }

  @Test
  void aSecondOpenerIsRefusedWithAnAdviceAndTheFirstGoesOn() throws IOException {
    put("a", "1");
    assertThatThrownBy(() -> SqliteRecordStore.open(directory)).isInstanceOf(IOException.class)
        .hasMessageContaining(directory.toString()).hasMessageContaining("is another coordinator using them?");
    put("a", "2");

    store.close();
    store = SqliteRecordStore.open(directory);
    assertThat(text("a")).isEqualTo("2");
  }

  @Test
  void aDirectoryThatIsMissingIsMade() throws IOException {
    try (SqliteRecordStore other = SqliteRecordStore.open(directory.resolve("not/there yet"))) {
      assertThat(other.list("")).isEmpty();
    }
    assertThat(directory.resolve("not/there yet")).isDirectory();
  }

  @Test
  void aFileThatIsNoDatabaseIsRefused() throws IOException {
    Path other = Files.createDirectory(directory.resolve("other"));
    Files.writeString(other.resolve("coordinator.db"), "this is not a database at all".repeat(100));
    assertThatThrownBy(() -> SqliteRecordStore.open(other)).isInstanceOf(IOException.class)
        .hasMessageContaining(other.toString());
  }

  @Test
  void aClosedStoreFailsByName() {
    store.close();
    assertThatThrownBy(() -> store.get("a")).isInstanceOf(StoreException.class).hasMessageContaining("cannot be read");
    assertThatThrownBy(() -> put("a", "1")).isInstanceOf(StoreException.class)
        .hasMessageContaining("cannot be written");
  }

  @Test
  void concurrentIncrementsOfOneRecordLoseNone() throws Exception {
    int threads = 6;
    int increments = 40;
    put("counter", "0");
    CountDownLatch go = new CountDownLatch(1);
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> all = IntStream.range(0, threads).<Future<?>>mapToObj(i -> executor.submit(() -> {
        go.await();
        for (int done = 0; done < increments;) {
          Versioned read = read("counter");
          byte[] next = bytes(Integer.toString(Integer.parseInt(new String(read.value(), UTF_8)) + 1));
          if (store.commit(new Transaction().ifUnchanged(read).put("counter", next))) {
            done++;
          }
        }
        return null;
      })).toList();
      go.countDown();
      for (Future<?> each : all) {
        each.get();
      }
    }
    assertThat(text("counter")).isEqualTo(Integer.toString(threads * increments));
  }

  private void put(String key, String value) {
    assertThat(store.commit(new Transaction().put(key, bytes(value)))).isTrue();
  }

  private Versioned read(String key) {
    return store.get(key).orElseThrow();
  }

  private String text(String key) {
    return new String(read(key).value(), UTF_8);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(UTF_8);
  }
}
