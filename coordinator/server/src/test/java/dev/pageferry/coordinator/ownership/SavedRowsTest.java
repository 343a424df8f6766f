package dev.pageferry.coordinator.ownership;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.StateFiles;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Decision;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Outcome;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.VmRecord;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rows of VMs that are saved, restored, moved through a file, or given back. */
class SavedRowsTest {
  private static final VmId VM = new VmId("v");
  private static final MigrationId M = new MigrationId("M");
  private static final MigrationId N = new MigrationId("N");
  /** The owner is silent; others live. */
  private static final LiveHosts A_IS_LOST = (host, incarnation) -> !host.value().equals("a");

  @TempDir
  Path directory;
  private SqliteRecordStore store;
  private OwnershipLedger ledger;

  @BeforeEach
  void open() throws IOException {
    store = SqliteRecordStore.open(directory);
    ledger = new OwnershipLedger(store, ChangeGate.OPEN);
    assertThat(ledger.add(Rows.vm("v", "a"))).isTrue();
  }

  @AfterEach
  void close() {
    store.close();
  }

  private VmRecord row() {
    return ledger.find(VM).orElseThrow().record();
  }

  private void beginSave(MigrationId operation) throws ConflictException {
    ledger.begin(ledger.find(VM).orElseThrow(), new OwnershipEvent.BeginSave(operation, "", "file-of-" + operation));
  }

  private void beginRestore(MigrationId operation, String host) throws ConflictException {
    ledger.begin(ledger.find(VM).orElseThrow(),
        new OwnershipEvent.BeginRestore(operation, new HostId(host), new Incarnation(host + "-1")));
  }

  private static void assertSays(Decision decision, Outcome outcome, String owner, long epoch) {
    assertThat(decision).isEqualTo(new Decision(outcome, owner, epoch));
  }

  @Test
  void aSaveThatCommitsNamesItsFileAndARestoreForgetsItAgain() throws Exception {
    beginSave(M);
    assertSays(ledger.commit(VM, M, Rows.ALL_LIVE), Outcome.COMMITTED, "a", 1);
    assertThat(row().getPhase()).isEqualTo(VmRecord.Phase.SAVED);
    assertThat(row().getSavedState()).isEqualTo("file-of-M");
    assertSays(ledger.resolve(VM, M), Outcome.COMMITTED, "a", 1);

    beginRestore(N, "b");
    assertSays(ledger.commit(VM, N, Rows.ALL_LIVE), Outcome.COMMITTED, "b", 2);
    assertThat(row().getPhase()).isEqualTo(VmRecord.Phase.ACTIVE);
    assertThat(row().hasSavedState()).isFalse();
    assertThat(row().hasPending()).isFalse();
  }

  @Test
  void aSaveThatIsAbortedLeavesTheRowAsItWas() throws Exception {
    VmRecord before = row();
    beginSave(M);
    assertThatThrownBy(() -> beginSave(N)).isInstanceOf(ConflictException.class);
    assertSays(ledger.resolve(VM, M), Outcome.ABORTED, "a", 1);
    assertThat(row()).isEqualTo(before);
    assertSays(ledger.commit(VM, M, Rows.ALL_LIVE), Outcome.ABORTED, "a", 1);
    assertThat(row()).isEqualTo(before);
  }

  @Test
  void aRestoreThatIsAbortedOrWhoseHostIsGoneLeavesTheVmSaved() throws Exception {
    beginSave(M);
    ledger.commit(VM, M, Rows.ALL_LIVE);
    VmRecord saved = row();
    beginRestore(N, "b");
    assertSays(ledger.commit(VM, N, Rows.ALL_RESTARTED), Outcome.ABORTED, "a", 1);
    assertThat(row()).isEqualTo(saved);
    MigrationId again = new MigrationId("O");
    beginRestore(again, "b");
    assertSays(ledger.resolve(VM, again), Outcome.ABORTED, "a", 1);
    assertThat(row()).isEqualTo(saved);
  }

  @Test
  void aRowNamesTheStorageThatItsDisksAreOnWhereverTheyGo() throws Exception {
    Rows.bootAnew(ledger, VM, "here");
    MigrationRecord copying = MigrationRecord.newBuilder().setVmId(VM.value()).setSourceIncarnation("a-1")
        .setDestinationIncarnation("b-1").setDestinationStorage("there").build();
    ledger.begin(ledger.find(VM).orElseThrow(), M, copying, new HostId("b"));
    assertThat(row().getStorageId()).isEqualTo("here");
    ledger.commit(VM, M, Rows.ALL_LIVE);
    assertThat(row().getStorageId()).isEqualTo("there");
    ledger.giveBack(VM, M, Rows.ALL_LIVE);
    assertThat(row().getStorageId()).isEqualTo("here");

    ledger.begin(ledger.find(VM).orElseThrow(), N, copying, new HostId("b"));
    ledger.resolve(VM, N);
    assertThat(row().getStorageId()).isEqualTo("here");
    MigrationId shared = new MigrationId("O");
    Rows.begin(ledger, VM, shared, "b");
    ledger.commit(VM, shared, Rows.ALL_LIVE);
    assertThat(row().getStorageId()).as("disks on shared storage stay where they are").isEqualTo("here");
  }

  @Test
  void aNotedStateOutlivesItsSourceUnderALaterEpoch() throws Exception {
    Rows.begin(ledger, VM, M, "b");
    assertSays(ledger.noteSaved(VM, M), Outcome.PENDING, "a", 1);
    assertSays(ledger.resolve(VM, M, A_IS_LOST), Outcome.ABORTED, "a", 2);
    assertThat(row().getPhase()).isEqualTo(VmRecord.Phase.SAVED);
    assertThat(row().getSavedState()).isEqualTo(StateFiles.name(VM, M));
    assertThat(row().getRestart().getFromHost()).as("nobody wanted it saved: it is to run again").isEqualTo("a");
    // The source was only cut off: whatever it asks, its epoch is over.
    assertSays(ledger.resolve(VM, M, Rows.ALL_LIVE), Outcome.ABORTED, "a", 2);
    assertSays(ledger.commit(VM, M, Rows.ALL_LIVE), Outcome.ABORTED, "a", 2);
    assertSays(ledger.noteSaved(VM, M), Outcome.ABORTED, "a", 2);
  }

  @Test
  void aNotedStateIsForgottenWhereTheSourceGoesOnOrTheVmArrives() throws Exception {
    Rows.begin(ledger, VM, M, "b");
    ledger.noteSaved(VM, M);
    assertSays(ledger.resolve(VM, M, Rows.ALL_LIVE), Outcome.ABORTED, "a", 1);
    assertThat(row()).isEqualTo(Rows.vm("v", "a"));
    Rows.begin(ledger, VM, N, "b");
    ledger.noteSaved(VM, N);
    assertSays(ledger.commit(VM, N, Rows.ALL_LIVE), Outcome.COMMITTED, "b", 2);
    assertThat(row().hasSavedState()).isFalse();
    assertThat(row().getPhase()).isEqualTo(VmRecord.Phase.ACTIVE);
  }

  @Test
  void aDestinationThatAsksWhileTheSourceMayLiveDecidesNothing() throws Exception {
    Rows.begin(ledger, VM, M, "b");
    ledger.noteSaved(VM, M);
    assertSays(ledger.resolveForDestination(VM, M, Rows.ALL_LIVE), Outcome.PENDING, "a", 1);
    assertThat(row().hasPending()).isTrue();
    assertSays(ledger.resolveForDestination(VM, M, A_IS_LOST), Outcome.ABORTED, "a", 2);
    assertThat(row().getPhase()).isEqualTo(VmRecord.Phase.SAVED);
  }

  @Test
  void aDestinationOfALiveMigrationIsAnsweredAtOnce() throws Exception {
    Rows.begin(ledger, VM, M, "b");
    assertSays(ledger.resolveForDestination(VM, M, Rows.ALL_LIVE), Outcome.ABORTED, "a", 1);
  }

  @Test
  void aVmIsGivenBackOnceAndOnlyToASourceThatLives() throws Exception {
    Rows.begin(ledger, VM, M, "b");
    assertSays(ledger.commit(VM, M, Rows.ALL_LIVE), Outcome.COMMITTED, "b", 2);
    assertSays(ledger.giveBack(VM, M, A_IS_LOST), Outcome.COMMITTED, "b", 2);
    assertSays(ledger.giveBack(VM, M, Rows.ALL_LIVE), Outcome.TAKEN_BACK, "a", 3);
    assertThat(row().getOwnerIncarnation()).isEqualTo("a-1");
    assertSays(ledger.giveBack(VM, M, Rows.ALL_LIVE), Outcome.TAKEN_BACK, "a", 3);
    assertSays(ledger.resolve(VM, M), Outcome.TAKEN_BACK, "a", 3);
    assertSays(ledger.commit(VM, M, Rows.ALL_LIVE), Outcome.TAKEN_BACK, "a", 3);
  }

  @Test
  void aVmThatWasGivenBackAndMovedOnIsNotTakenBackAgain() throws Exception {
    Rows.begin(ledger, VM, M, "b");
    ledger.commit(VM, M, Rows.ALL_LIVE);
    ledger.giveBack(VM, M, Rows.ALL_LIVE);
    Rows.begin(ledger, VM, N, "c");
    ledger.commit(VM, N, Rows.ALL_LIVE);
    assertSays(ledger.resolve(VM, M), Outcome.ABORTED, "c", 4);
  }

  @Test
  void aVmThatMovedOnFromItsDestinationIsNotGivenBack() throws Exception {
    Rows.begin(ledger, VM, M, "b");
    ledger.commit(VM, M, Rows.ALL_LIVE);
    Rows.begin(ledger, VM, N, "c");
    assertSays(ledger.giveBack(VM, M, Rows.ALL_LIVE), Outcome.COMMITTED, "b", 2);
    ledger.commit(VM, N, Rows.ALL_LIVE);
    assertSays(ledger.giveBack(VM, M, Rows.ALL_LIVE), Outcome.COMMITTED, "c", 3);
  }
}
