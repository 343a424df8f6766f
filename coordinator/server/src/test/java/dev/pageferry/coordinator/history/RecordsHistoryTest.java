package dev.pageferry.coordinator.history;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.coordinator.ownership.RowsFrozenException;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.proto.registry.v1.RecordsSeen;
import dev.pageferry.proto.registry.v1.RecordsStamp;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class RecordsHistoryTest {
  private static final String FILE = "coordinator.db";

  @TempDir
  Path directory;
  private final Random random = new Random(1);
  private SqliteRecordStore store;
  private RecordsHistory history;

  @BeforeEach
  void open() throws IOException {
    store = SqliteRecordStore.open(directory.resolve("now"));
    history = RecordsHistory.open(store, Scheduler.SYSTEM, random);
  }

  @AfterEach
  void close() {
    store.close();
  }

  private void restart() throws IOException {
    store.close();
    open();
  }

  private void backUp() throws IOException {
    store.close();
    Files.createDirectories(directory.resolve("backup"));
    Files.copy(directory.resolve("now").resolve(FILE), directory.resolve("backup").resolve(FILE));
    open();
  }

  private void restore() throws IOException {
    store.close();
    try (var files = Files.list(directory.resolve("now"))) {
      for (Path each : files.toList()) {
        Files.delete(each);
      }
    }
    Files.copy(directory.resolve("backup").resolve(FILE), directory.resolve("now").resolve(FILE));
    open();
  }

  private void change() {
    assertThat(store.commit(new Transaction().put("row", new byte[]{1}))).isTrue();
  }

  private static RecordsSeen seen(RecordsStamp... stamps) {
    RecordsSeen.Builder seen = RecordsSeen.newBuilder().setHostId("a");
    for (RecordsStamp each : stamps) {
      seen.addStamps(each);
    }
    return seen.build();
  }

  @Test
  void recordsKeepTheirLineageAndEveryStartHasAnIdOfItsOwn() throws Exception {
    RecordsStamp first = history.stamp();
    change();
    RecordsStamp second = history.stamp();
    restart();
    RecordsStamp third = history.stamp();

    assertThat(second.getStartId()).isEqualTo(first.getStartId());
    assertThat(second.getRevision()).isGreaterThan(first.getRevision());
    assertThat(third.getLineage()).isEqualTo(first.getLineage());
    assertThat(third.getStartId()).isNotEqualTo(first.getStartId());
    assertThat(third.getRevision()).isGreaterThan(second.getRevision());
  }

  @Test
  void whatThisHistoryGaveOutProvesNothing() throws Exception {
    change();
    RecordsStamp first = history.stamp();
    restart();
    change();
    history.observe(seen(first, history.stamp()));
    restart();
    history.observe(seen(first, history.stamp()));

    assertThat(history.trouble()).isEmpty();
    assertThatCode(history::check).doesNotThrowAnyException();
  }

  @Test
  void aStartThatIsNotInTheRecordsProvesThatTheyWentBack() throws Exception {
    backUp();
    restart();
    RecordsStamp later = history.stamp();
    restore();
    history.observe(seen(later));

    assertThat(history.trouble().orElseThrow().evidence()).singleElement().asString().contains("host a")
        .contains("not in these records");
    assertThatThrownBy(history::check).isInstanceOf(RowsFrozenException.class).hasMessageContaining("records repair");
  }

  @Test
  void aRevisionPastTheFirstOfTheNextStartProvesThatTheyWentBack() throws Exception {
    // A copy of the file of a running coordinator: its start is in the copy, what it did since is not.
    RecordsStamp before = history.stamp();
    backUp();
    change();
    restore();
    RecordsStamp unseen = before.toBuilder().setRevision(before.getRevision() + 1).build();
    history.observe(seen(before));
    assertThat(history.trouble()).isEmpty();
    history.observe(seen(unseen));
    assertThat(history.trouble()).isPresent();
  }

  @Test
  void aRevisionThatThePresentStartHasNotGivenOutProvesThatTheyWentBack() throws Exception {
    RecordsStamp now = history.stamp();
    history.observe(seen(now.toBuilder().setRevision(now.getRevision() + 1).build()));
    assertThat(history.trouble()).isPresent();
  }

  @Test
  void otherRecordsAreNamedAsSuch() throws Exception {
    history.observe(seen(RecordsStamp.newBuilder().setLineage("other").setStartId("s").setRevision(7).build()));
    assertThat(history.trouble().orElseThrow().evidence()).singleElement().asString().contains("records other");
  }

  @Test
  void theTroubleOutlivesAProcessUntilItIsPutRightAndItsProofsAreNoneAfterwards() throws Exception {
    backUp();
    restart();
    change();
    RecordsStamp later = history.stamp();
    restore();
    history.observe(seen(later));
    restart();
    assertThat(history.isInTrouble()).isTrue();
    assertThatThrownBy(history::check).isInstanceOf(RowsFrozenException.class);

    // Told again by the host that still has it in mind.
    history.observe(seen(later));
    assertThat(history.end(history.proofs().orElseThrow())).isTrue();
    assertThat(history.isRepaired()).isTrue();
    assertThatCode(history::check).doesNotThrowAnyException();
    history.observe(seen(later));
    assertThat(history.trouble()).isEmpty();
    restart();
    history.observe(seen(later));
    assertThat(history.trouble()).isEmpty();
    history.observe(seen(later.toBuilder().setRevision(later.getRevision() + 1).build()));
    assertThat(history.trouble()).as("that start goes on somewhere").isPresent();
  }

  @Test
  void whatAHostProvesWhileRowsArePutRightIsNotDealtWith() throws Exception {
    backUp();
    restart();
    change();
    RecordsStamp later = history.stamp();
    restore();
    history.observe(seen(later));
    RecordsHistory.Proofs before = history.proofs().orElseThrow();
    history.observe(seen(later.toBuilder().setRevision(later.getRevision() + 1).build()));
    assertThat(history.end(before)).isFalse();
    assertThat(history.isInTrouble()).isTrue();
  }

  @Test
  void changesWaitUntilEveryHostWasHeard() throws Exception {
    AtomicBoolean heard = new AtomicBoolean();
    history.holdUntil(heard::get, Duration.ofHours(1));
    AtomicBoolean passed = new AtomicBoolean();
    Task asking = Scheduler.SYSTEM.start("asks", () -> {
      history.check();
      passed.set(true);
    });
    history.hostHeard();
    assertThat(asking.join(Duration.ofMillis(50))).isFalse();
    heard.set(true);
    history.hostHeard();
    assertThat(asking.join(Duration.ofSeconds(30))).isTrue();
    assertThat(passed).isTrue();
  }

  @Test
  void aProofThatComesWhileChangesWaitRefusesThem() throws Exception {
    AtomicBoolean heard = new AtomicBoolean();
    history.holdUntil(heard::get, Duration.ofHours(1));
    AtomicBoolean refused = new AtomicBoolean();
    Task asking = Scheduler.SYSTEM.start("asks", () -> {
      try {
        history.check();
      } catch (RowsFrozenException e) {
        refused.set(true);
      }
    });
    history.suspect("by the test");
    heard.set(true);
    history.hostHeard();
    assertThat(asking.join(Duration.ofSeconds(30))).isTrue();
    assertThat(refused).isTrue();
  }
}
