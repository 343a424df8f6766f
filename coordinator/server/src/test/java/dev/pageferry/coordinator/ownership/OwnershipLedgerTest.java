package dev.pageferry.coordinator.ownership;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Decision;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.VmRecord;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OwnershipLedgerTest {
  private static final VmId VM = new VmId("v");
  private static final VmId OTHER_VM = new VmId("w");
  private static final MigrationId M = new MigrationId("M");
  private static final MigrationId N = new MigrationId("N");

  /** How the row came to be: M moves the VM from a to b, N moves it to c. */
  enum State {
    FREE,
    M_PENDING,
    N_PENDING,
    M_COMMITTED,
    M_ABORTED,
    M_COMMITTED_N_PENDING,
    M_ABORTED_N_PENDING,
    MOVED_ON,
    GONE
  }

  enum Event {
    BEGIN_M,
    COMMIT_M,
    COMMIT_M_RESTARTED,
    RESOLVE_M,
    COMMIT_M_OF_OTHER_VM,
    RESOLVE_M_OF_OTHER_VM,
    POWER_OFF,
    REMOVE
  }

  @TempDir
  Path directory;
  private SqliteRecordStore store;
  private OwnershipLedger ledger;

  @BeforeEach
  void open() throws IOException {
    store = SqliteRecordStore.open(directory);
    ledger = new OwnershipLedger(store, ChangeGate.OPEN);
    assertThat(ledger.add(Rows.vm("v", "a"))).isTrue();
    assertThat(ledger.add(Rows.vm("w", "a"))).isTrue();
  }

  @AfterEach
  void close() {
    store.close();
  }

  @ParameterizedTest(name = "{0}, {1}: {2}, then the row is {3}")
  @CsvSource(textBlock = """
      FREE,                  BEGIN_M,               done,           a 1 M
      FREE,                  COMMIT_M,              UNKNOWN  0,     a 1 -
      FREE,                  COMMIT_M_RESTARTED,    UNKNOWN  0,     a 1 -
      FREE,                  RESOLVE_M,             UNKNOWN  0,     a 1 -
      FREE,                  COMMIT_M_OF_OTHER_VM,  UNKNOWN  0,     a 1 -
      FREE,                  RESOLVE_M_OF_OTHER_VM, UNKNOWN  0,     a 1 -
      FREE,                  POWER_OFF,                done,           a 1 -
      FREE,                  REMOVE,                done,           gone
      M_PENDING,             BEGIN_M,               conflict,       a 1 M
      M_PENDING,             COMMIT_M,              COMMITTED b 2,  b 2 -
      M_PENDING,             COMMIT_M_RESTARTED,    ABORTED a 1,    a 1 -
      M_PENDING,             RESOLVE_M,             ABORTED a 1,    a 1 -
      M_PENDING,             COMMIT_M_OF_OTHER_VM,  UNKNOWN  0,     a 1 M
      M_PENDING,             RESOLVE_M_OF_OTHER_VM, UNKNOWN  0,     a 1 M
      M_PENDING,             POWER_OFF,                conflict,       a 1 M
      M_PENDING,             REMOVE,                conflict,       a 1 M
      N_PENDING,             BEGIN_M,               conflict,       a 1 N
      N_PENDING,             COMMIT_M,              UNKNOWN  0,     a 1 N
      N_PENDING,             COMMIT_M_RESTARTED,    UNKNOWN  0,     a 1 N
      N_PENDING,             RESOLVE_M,             UNKNOWN  0,     a 1 N
      N_PENDING,             COMMIT_M_OF_OTHER_VM,  UNKNOWN  0,     a 1 N
      N_PENDING,             RESOLVE_M_OF_OTHER_VM, UNKNOWN  0,     a 1 N
      N_PENDING,             POWER_OFF,                conflict,       a 1 N
      N_PENDING,             REMOVE,                conflict,       a 1 N
      M_COMMITTED,           BEGIN_M,               conflict,       b 2 -
      M_COMMITTED,           COMMIT_M,              COMMITTED b 2,  b 2 -
      M_COMMITTED,           COMMIT_M_RESTARTED,    COMMITTED b 2,  b 2 -
      M_COMMITTED,           RESOLVE_M,             COMMITTED b 2,  b 2 -
      M_COMMITTED,           COMMIT_M_OF_OTHER_VM,  UNKNOWN  0,     b 2 -
      M_COMMITTED,           RESOLVE_M_OF_OTHER_VM, UNKNOWN  0,     b 2 -
      M_COMMITTED,           POWER_OFF,                done,           b 2 -
      M_COMMITTED,           REMOVE,                done,           gone
      M_ABORTED,             BEGIN_M,               conflict,       a 1 -
      M_ABORTED,             COMMIT_M,              ABORTED a 1,    a 1 -
      M_ABORTED,             COMMIT_M_RESTARTED,    ABORTED a 1,    a 1 -
      M_ABORTED,             RESOLVE_M,             ABORTED a 1,    a 1 -
      M_ABORTED,             COMMIT_M_OF_OTHER_VM,  UNKNOWN  0,     a 1 -
      M_ABORTED,             RESOLVE_M_OF_OTHER_VM, UNKNOWN  0,     a 1 -
      M_ABORTED,             POWER_OFF,                done,           a 1 -
      M_ABORTED,             REMOVE,                done,           gone
      M_COMMITTED_N_PENDING, BEGIN_M,               conflict,       b 2 N
      M_COMMITTED_N_PENDING, COMMIT_M,              COMMITTED b 2,  b 2 N
      M_COMMITTED_N_PENDING, COMMIT_M_RESTARTED,    COMMITTED b 2,  b 2 N
      M_COMMITTED_N_PENDING, RESOLVE_M,             COMMITTED b 2,  b 2 N
      M_COMMITTED_N_PENDING, COMMIT_M_OF_OTHER_VM,  UNKNOWN  0,     b 2 N
      M_COMMITTED_N_PENDING, RESOLVE_M_OF_OTHER_VM, UNKNOWN  0,     b 2 N
      M_COMMITTED_N_PENDING, POWER_OFF,                conflict,       b 2 N
      M_COMMITTED_N_PENDING, REMOVE,                conflict,       b 2 N
      M_ABORTED_N_PENDING,   BEGIN_M,               conflict,       a 1 N
      M_ABORTED_N_PENDING,   COMMIT_M,              ABORTED a 1,    a 1 N
      M_ABORTED_N_PENDING,   COMMIT_M_RESTARTED,    ABORTED a 1,    a 1 N
      M_ABORTED_N_PENDING,   RESOLVE_M,             ABORTED a 1,    a 1 N
      M_ABORTED_N_PENDING,   COMMIT_M_OF_OTHER_VM,  UNKNOWN  0,     a 1 N
      M_ABORTED_N_PENDING,   RESOLVE_M_OF_OTHER_VM, UNKNOWN  0,     a 1 N
      M_ABORTED_N_PENDING,   POWER_OFF,                conflict,       a 1 N
      M_ABORTED_N_PENDING,   REMOVE,                conflict,       a 1 N
      MOVED_ON,              BEGIN_M,               conflict,       c 3 -
      MOVED_ON,              COMMIT_M,              COMMITTED c 3,  c 3 -
      MOVED_ON,              COMMIT_M_RESTARTED,    COMMITTED c 3,  c 3 -
      MOVED_ON,              RESOLVE_M,             COMMITTED c 3,  c 3 -
      MOVED_ON,              COMMIT_M_OF_OTHER_VM,  UNKNOWN  0,     c 3 -
      MOVED_ON,              RESOLVE_M_OF_OTHER_VM, UNKNOWN  0,     c 3 -
      MOVED_ON,              POWER_OFF,                done,           c 3 -
      MOVED_ON,              REMOVE,                done,           gone
      GONE,                  BEGIN_M,               conflict,       gone
      GONE,                  COMMIT_M,              DELETED  0,     gone
      GONE,                  COMMIT_M_RESTARTED,    DELETED  0,     gone
      GONE,                  RESOLVE_M,             DELETED  0,     gone
      GONE,                  COMMIT_M_OF_OTHER_VM,  UNKNOWN  0,     gone
      GONE,                  RESOLVE_M_OF_OTHER_VM, UNKNOWN  0,     gone
      GONE,                  POWER_OFF,                conflict,       gone
      GONE,                  REMOVE,                conflict,       gone
      """)
  void everyEventHasOneAnswerInEveryState(State state, Event event, String answer, String row) throws Exception {
    Row first = ledger.find(VM).orElseThrow();
    arrange(state);
    assertThat(perform(event, first)).isEqualTo(answer);
    assertThat(Rows.brief(ledger, VM)).isEqualTo(row);
    assertThat(Rows.brief(ledger, OTHER_VM)).isEqualTo("a 1 -");

    if (answer.startsWith("COMMITTED") || answer.startsWith("ABORTED") || answer.startsWith("UNKNOWN")
        || answer.startsWith("DELETED")) {
      for (Event again : new Event[]{event, event}) {
        assertThat(perform(again, first)).as("asked again").isEqualTo(answer);
      }
    }
    if (answer.startsWith("COMMITTED") || answer.startsWith("ABORTED")) {
      for (Event other : new Event[]{Event.COMMIT_M, Event.COMMIT_M_RESTARTED, Event.RESOLVE_M}) {
        assertThat(perform(other, first)).as("asked %s afterwards", other).isEqualTo(answer);
      }
    }
    assertThat(Rows.brief(ledger, VM)).isEqualTo(row);
  }

  private void arrange(State state) throws ConflictException {
    switch (state) {
      case FREE -> {
      }
      case M_PENDING -> Rows.begin(ledger, VM, M, "b");
      case N_PENDING -> Rows.begin(ledger, VM, N, "c");
      case M_COMMITTED -> {
        Rows.begin(ledger, VM, M, "b");
        ledger.commit(VM, M, Rows.ALL_LIVE);
      }
      case M_ABORTED -> {
        Rows.begin(ledger, VM, M, "b");
        ledger.resolve(VM, M);
      }
      case M_COMMITTED_N_PENDING -> {
        arrange(State.M_COMMITTED);
        Rows.begin(ledger, VM, N, "c");
      }
      case M_ABORTED_N_PENDING -> {
        arrange(State.M_ABORTED);
        Rows.begin(ledger, VM, N, "c");
      }
      case MOVED_ON -> {
        arrange(State.M_COMMITTED_N_PENDING);
        ledger.commit(VM, N, Rows.ALL_LIVE);
      }
      case GONE -> {
        arrange(State.M_COMMITTED);
        ledger.remove(VM);
      }
    }
  }

  private String perform(Event event, Row first) {
    try {
      return switch (event) {
        case BEGIN_M -> {
          Rows.begin(ledger, ledger.find(VM).orElse(first), M, "b");
          yield "done";
        }
        case COMMIT_M -> brief(ledger.commit(VM, M, Rows.ALL_LIVE));
        case COMMIT_M_RESTARTED -> brief(ledger.commit(VM, M, Rows.ALL_RESTARTED));
        case RESOLVE_M -> brief(ledger.resolve(VM, M));
        case COMMIT_M_OF_OTHER_VM -> brief(ledger.commit(OTHER_VM, M, Rows.ALL_LIVE));
        case RESOLVE_M_OF_OTHER_VM -> brief(ledger.resolve(OTHER_VM, M));
        case POWER_OFF -> {
          assertThat(ledger.change(VM, new OwnershipEvent.PowerOff()).record().getPhase())
              .isEqualTo(VmRecord.Phase.STOPPED);
          yield "done";
        }
        case REMOVE -> {
          ledger.remove(VM);
          yield "done";
        }
      };
    } catch (ConflictException e) {
      return "conflict";
    }
  }

  private static String brief(Decision decision) {
    return "%s %s %d".formatted(decision.outcome(), decision.ownerHost(), decision.epoch());
  }

  @Test
  void aNameIsTakenOnceAndFreeAgainAfterTheRemoval() throws ConflictException {
    assertThat(ledger.add(Rows.vm("x", "a").toBuilder()
        .setSpec(Rows.vm("x", "a").getSpec().toBuilder().setName("name-of-v")).build())).isFalse();
    assertThat(ledger.find(new VmId("x"))).isEmpty();
    assertThat(ledger.add(Rows.vm("v", "b"))).isFalse();

    ledger.remove(VM);
    assertThat(ledger.findByName("name-of-v")).isEmpty();
    assertThat(ledger.add(Rows.vm("x", "a").toBuilder()
        .setSpec(Rows.vm("x", "a").getSpec().toBuilder().setName("name-of-v")).build())).isTrue();
    assertThat(ledger.findByName("name-of-v").orElseThrow().id()).isEqualTo(new VmId("x"));
  }

  @Test
  void aRowThatChangedSinceItWasReadBeginsNoMigration() throws ConflictException {
    Row read = ledger.find(VM).orElseThrow();
    ledger.change(VM, new OwnershipEvent.PowerOff());
    assertThatThrownBy(() -> Rows.begin(ledger, read, M, "b")).isInstanceOf(ConflictException.class)
        .hasMessageContaining("changed meanwhile; try again");
    assertThat(ledger.migration(M)).isEmpty();
    assertThat(Rows.brief(ledger, VM)).isEqualTo("a 1 -");
  }

  @Test
  void aConflictNamesTheVmAndTheMigrationInItsWay() throws ConflictException {
    Rows.begin(ledger, VM, M, "b");
    assertThatThrownBy(() -> ledger.change(VM, new OwnershipEvent.PowerOff())).isInstanceOf(ConflictException.class)
        .hasMessageContaining("name-of-v").hasMessageContaining("(M)").hasMessageContaining("wait for it or cancel it");
    assertThatThrownBy(() -> Rows.begin(ledger, VM, N, "b")).isInstanceOf(ConflictException.class)
        .hasMessageContaining("(M)");
  }

  @Test
  void whatOperatorsSeeChangesWithoutTouchingTheDecision() throws ConflictException {
    Rows.begin(ledger, VM, M, "b");
    ledger.commit(VM, M, Rows.ALL_LIVE);
    ledger.updateMigration(M, record -> record.toBuilder().setDecision(MigrationRecord.Decision.ABORTED)
        .setDecidedEpoch(99).setDocument(Migration.newBuilder().setId("M").setVm("shown")).build());

    MigrationRecord record = ledger.migration(M).orElseThrow();
    assertThat(record.getDecision()).isEqualTo(MigrationRecord.Decision.COMMITTED);
    assertThat(record.getDecidedEpoch()).isEqualTo(2);
    assertThat(record.getDocument().getVm()).isEqualTo("shown");
    assertThat(ledger.migrations()).containsExactly(record);
  }

  @Test
  void aMigrationThatOperatorsSeeNoLongerKeepsItsDecision() throws ConflictException {
    Rows.begin(ledger, VM, M, "b");
    ledger.commit(VM, M, Rows.ALL_LIVE);
    ledger.updateMigration(M,
        record -> record.toBuilder().setDocument(Migration.newBuilder().setId("M")).setRequestId("r").build());
    ledger.forgetDocument(M);
    ledger.forgetDocument(N);

    assertThat(ledger.migrations()).isEmpty();
    assertThat(brief(ledger.resolve(VM, M))).isEqualTo("COMMITTED b 2");
    assertThat(ledger.migration(M).orElseThrow().hasRequestId()).isFalse();
    assertThat(ledger.migration(N)).isEmpty();
  }

  @Test
  void aDeletedVmIsRememberedAsSuch() throws ConflictException {
    assertThat(ledger.wasDeleted(VM)).isFalse();
    ledger.remove(VM);
    assertThat(ledger.wasDeleted(VM)).isTrue();
    assertThat(ledger.wasDeleted(OTHER_VM)).isFalse();
    assertThat(ledger.find(VM)).isEmpty();
  }

  @Test
  void decisionsSurviveAReopening() throws Exception {
    Rows.begin(ledger, VM, M, "b");
    ledger.commit(VM, M, Rows.ALL_LIVE);
    Rows.begin(ledger, OTHER_VM, N, "b");
    ledger.resolve(OTHER_VM, N);
    close();
    store = SqliteRecordStore.open(directory);
    ledger = new OwnershipLedger(store, ChangeGate.OPEN);

    assertThat(brief(ledger.resolve(VM, M))).isEqualTo("COMMITTED b 2");
    assertThat(brief(ledger.commit(OTHER_VM, N, Rows.ALL_LIVE))).isEqualTo("ABORTED a 1");
    assertThat(ledger.list()).extracting(Row::id).containsExactly(VM, OTHER_VM);
  }
}
