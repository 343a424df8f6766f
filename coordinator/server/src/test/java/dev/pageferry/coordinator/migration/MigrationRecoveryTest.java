package dev.pageferry.coordinator.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.fakes.InterposedSiteFixture;
import dev.pageferry.coordinator.fakes.Reports;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.proto.agent.v1.GetIncomingResponse;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.report.v1.MigrationStage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Restarts of the coordinator, failures of its records, and how much it remembers. */
@Timeout(60)
class MigrationRecoveryTest extends InterposedSiteFixture {
  private static final int MAX_HISTORY = 1000;

  private Migration migrating() throws RequestException {
    site.createVm("db", "a");
    Migration migration = site.migrate("db", "b");
    await().until(() -> site.agent("a").count("watchOutgoing") == 1);
    return migration;
  }

  @Test
  void aNewProcessTakesUpARunningMigrationWithoutStartingItAgain() throws Exception {
    Migration accepted = migrating();
    site = site.afterCoordinatorRestart();
    assertThat(site.migrations().show(accepted.getId())).isEqualTo(accepted);
    site.migrations().recover();
    await().until(() -> site.agent("a").count("watchOutgoing") == 2);
    site.agent("a").say(Reports.running(MigrationStage.Name.PRE_COPY, 0.4));
    await().until(() -> site.migrations().show(accepted.getId()).getStage() == MigrationStage.Name.PRE_COPY);
    site.agent("a").say(Reports.completed());

    assertThat(site.ended(accepted).getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(site.agent("a").count("startOutgoing")).isEqualTo(1);
    await().until(() -> site.metered().size() == 1);
  }

  /** Services answer before the recovery begins: what they accept meanwhile is followed already. */
  @Test
  void aMigrationThatWasAcceptedBeforeTheRecoveryIsNotTakenUpASecondTime() throws Exception {
    Migration accepted = migrating();
    site.migrations().recover();
    site.agent("a").say(Reports.running(MigrationStage.Name.PRE_COPY, 0.4));
    await().until(() -> site.migrations().show(accepted.getId()).getStage() == MigrationStage.Name.PRE_COPY);
    site.agent("a").say(Reports.completed());
    assertThat(site.ended(accepted).getState()).isEqualTo(Migration.State.COMPLETED);
    await().until(() -> site.metered().size() == 1);
    assertThat(site.agent("a").count("watchOutgoing")).isEqualTo(1);
  }

  @Test
  void aMigrationThatEndedIsOnlyRemembered() throws Exception {
    Migration accepted = migrating();
    site.agent("a").say(Reports.completed());
    Migration ended = site.ended(accepted);
    long watched = site.agent("a").count("watchOutgoing");
    site = site.afterCoordinatorRestart();
    site.migrations().recover();
    assertThat(site.migrations().list()).containsExactly(ended);
    assertThat(site.agent("a").count("watchOutgoing")).isEqualTo(watched);
  }

  /** The failure table: where the coordinator dies before the commit, the VM keeps running in pre-copy. */
  @Test
  void aSourceThatCannotBeAskedJustAfterARestartIsNotTakenForDead() throws Exception {
    Migration accepted = migrating();
    site.agent("a").refuse("watchOutgoing", AgentException.Kind.UNREACHABLE, "the network is not up yet");
    site = site.afterCoordinatorRestart();
    site.migrations().recover();
    await().until(() -> site.agent("a").count("watchOutgoing") >= 3);
    assertThat(MigrationSupervisor.isFinal(site.migrations().show(accepted.getId()))).isFalse();
    assertThat(site.owner("db")).containsExactly("a", 1L, accepted.getId());

    site.heartbeat("a", "b");
    site.agent("a").accept("watchOutgoing");
    site.agent("a").say(Reports.completed());
    assertThat(site.ended(accepted).getState()).isEqualTo(Migration.State.COMPLETED);
  }

  @Test
  void aSourceThatStaysSilentForTheTimeOutAfterARestartIsLost() throws Exception {
    Migration accepted = migrating();
    site.agent("a").goSilent();
    site = site.afterCoordinatorRestart();
    site.migrations().recover();
    site.timeOutAllBut("b");
    assertThat(site.ended(accepted).getFailure().getCode()).isEqualTo("SOURCE_LOST");
    assertThat(site.owner("db")).containsExactly("a", 1L);
  }

  @Test
  void aMigrationThatWasCommittedWhileNobodyLookedCompletesWithABound() throws Exception {
    Migration accepted = migrating();
    site.ledger().commit(site.vmId("db"), new MigrationId(accepted.getId()), site.inventory()::isCurrent);
    site.agent("a").goSilent();
    site.agent("b").incoming(GetIncomingResponse.State.RUNNING);
    site = site.afterCoordinatorRestart();
    site.migrations().recover();

    Migration ended = site.ended(accepted);
    assertThat(ended.getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(ended.hasBlackoutSeconds()).isFalse();
    assertThat(ended.hasBlackoutBoundSeconds()).isTrue();
  }

  @Test
  void aMigrationThatNoAgentHadHeardOfIsAborted() throws Exception {
    Migration accepted = migrating();
    site.agent("a").forgetOutgoing();
    site = site.afterCoordinatorRestart();
    site.heartbeat("a", "b");
    site.migrations().recover();
    assertThat(site.ended(accepted).getState()).isEqualTo(Migration.State.FAILED);
    assertThat(site.owner("db")).containsExactly("a", 1L);
  }

  @Test
  void recordsThatCannotBeWrittenForAWhileDoNotLockTheVmForGood() throws Exception {
    Migration accepted = migrating();
    store.failWrites(2);
    OutgoingStatus rolledBack = Reports.ended(OutgoingStatus.State.ROLLED_BACK, "STALLED", "rounds do not shrink");
    for (int i = 0; i < 3; i++) {
      site.agent("a").say(rolledBack);
    }

    Migration ended = site.ended(accepted);
    assertThat(ended.getFailure().getCode()).isEqualTo("STALLED");
    assertThat(site.owner("db")).containsExactly("a", 1L);
    assertThat(site.ledger().migration(new MigrationId(accepted.getId())).orElseThrow().getDocument())
        .isEqualTo(ended);
  }

  @Test
  void onlyTheLastMigrationsAreRemembered() throws Exception {
    Transaction old = new Transaction();
    for (int i = 0; i < MAX_HISTORY; i++) {
      String id = "old-%04d".formatted(i);
      old.put("migrations/" + id, MigrationRecord.newBuilder().setVmId("gone")
          .setDecision(MigrationRecord.Decision.ABORTED).setDocument(Migration.newBuilder().setId(id)
              .setState(Migration.State.FAILED).setAcceptedAtMillis(1000 + i))
          .build().toByteArray());
    }
    assertThat(store.commit(old)).isTrue();
    site = site.afterCoordinatorRestart();
    site.heartbeat("a", "b");
    Migration accepted = migrating();
    assertThat(site.migrations().list()).hasSize(MAX_HISTORY + 1);
    site.agent("a").say(Reports.completed());
    Migration ended = site.ended(accepted);

    await().until(() -> site.migrations().list().size() == MAX_HISTORY);
    await().until(() -> site.ledger().migrations().size() == MAX_HISTORY);
    assertThatThrownBy(() -> site.migrations().show("old-0000")).hasMessageContaining("not known");
    assertThat(site.migrations().show("old-0001").getState()).isEqualTo(Migration.State.FAILED);
    assertThat(site.migrations().list().getLast()).isEqualTo(ended);
  }

  @Test
  void closingLeavesMigrationsToTheNextProcess() throws Exception {
    Migration accepted = migrating();
    site.migrations().close();
    assertThat(MigrationSupervisor.isFinal(site.migrations().show(accepted.getId()))).isFalse();
    assertThat(site.owner("db")).containsExactly("a", 1L, accepted.getId());
  }
}
