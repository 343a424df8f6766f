package dev.pageferry.coordinator.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.fakes.Reports;
import dev.pageferry.coordinator.fakes.SiteFixture;
import dev.pageferry.coordinator.inventory.HostContent;
import dev.pageferry.coordinator.ownership.OwnershipEvent;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Decision;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Outcome;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.agent.v1.GetIncomingResponse;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.report.v1.MigrationStage;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A VM on host a, moved to host b: every way in which that can end. */
@Timeout(60)
class MigrationSupervisorTest extends SiteFixture {
  @BeforeEach
  void createVm() throws RequestException {
    site.createVm("db", "a");
  }

  @Test
  void aMigrationThatGoesWellCompletesWithWhatTheSourceMeasured() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    assertThat(accepted.getState()).isEqualTo(Migration.State.RUNNING);
    assertThat(accepted.getStage()).isEqualTo(MigrationStage.Name.SETUP);
    assertThat(accepted.getKind()).isEqualTo(Migration.Kind.LIVE);
    List<Migration> seen = new CopyOnWriteArrayList<>();
    site.migrations().watch(accepted.getId(), seen::add);

    site.agent("a").say(Reports.running(MigrationStage.Name.PRE_COPY, 0.5));
    site.agent("a").say(Reports.inDoubt());
    await().until(() -> seen.size() == 3);
    assertThat(commit(accepted)).isEqualTo(new Decision(Outcome.COMMITTED, "b", 2));
    site.agent("a").say(Reports.completed());
    Migration ended = site.ended(accepted);

    assertThat(seen).extracting(Migration::getState).containsExactly(Migration.State.RUNNING, Migration.State.RUNNING,
        Migration.State.IN_DOUBT, Migration.State.COMPLETED);
    assertThat(seen.get(1).getProgress().getDone()).isEqualTo(0.5);
    assertThat(seen.getLast()).isEqualTo(ended);
    assertThat(ended.getSource()).isEqualTo("a");
    assertThat(ended.getDestination()).isEqualTo("b");
    assertThat(ended.hasProgress()).isFalse();
    assertThat(ended.hasFailure()).isFalse();
    assertThat(ended.getBlackoutSeconds()).isEqualTo(0.02);
    assertThat(ended.getBlackout().getCommitSeconds()).isEqualTo(0.015);
    assertThat(ended.getPagesSent()).isEqualTo(10);
    assertThat(ended.getRoundsList()).hasSize(1);
    assertThat(ended.getTotalSeconds()).isGreaterThanOrEqualTo(1.5);
    assertThat(ended.getTotalSeconds() - ended.getSetupSeconds()).isCloseTo(1.25, Offset.offset(1e-6));
    assertThat(site.owner("db")).containsExactly("b", 2L);
    await().until(() -> site.metered().equals(List.of(ended)));
    assertThat(site.ledger().migration(id(accepted)).orElseThrow().getDocument()).isEqualTo(ended);
  }

  @Test
  void aMigrationThatWasRolledBackFailsWithItsCodeAndFreesTheRow() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    site.agent("a").say(Reports.ended(OutgoingStatus.State.ROLLED_BACK, "STALLED", "rounds do not shrink"));
    Migration ended = site.ended(accepted);

    assertThat(ended.getState()).isEqualTo(Migration.State.FAILED);
    assertThat(ended.getFailure().getCode()).isEqualTo("STALLED");
    assertThat(ended.getFailure().getMessage()).isEqualTo("rounds do not shrink");
    assertThat(site.owner("db")).containsExactly("a", 1L);
    assertThat(commit(accepted).outcome()).isEqualTo(Outcome.ABORTED);
    assertThat(site.migrate("db", "b").getId()).isNotEqualTo(accepted.getId());
  }

  @Test
  void aMigrationThatAnOperatorCancelledIsCancelled() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    await().until(() -> site.agent("a").count("startOutgoing") == 1);
    assertThat(site.migrations().cancel(accepted.getId()).getId()).isEqualTo(accepted.getId());
    assertThat(site.agent("a").count("cancelOutgoing")).isEqualTo(1);
    site.agent("a").say(Reports.ended(OutgoingStatus.State.CANCELLED, "CANCELLED", "an operator cancelled"));

    assertThat(site.ended(accepted).getState()).isEqualTo(Migration.State.CANCELLED);
    assertThat(site.owner("db")).containsExactly("a", 1L);
    refused(Kind.REFUSED, () -> site.migrations().cancel(accepted.getId()), "has ended (CANCELLED)");
  }

  @Test
  void aCancelAfterTheCommitWasAskedOrWithoutTheSourceIsRefused() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    await().until(() -> site.agent("a").count("startOutgoing") == 1);
    site.agent("a").refuseCancel();
    refused(Kind.REFUSED, () -> site.migrations().cancel(accepted.getId()), "is past its commit and goes on");
    site.agent("a").refuse("cancelOutgoing", AgentException.Kind.UNREACHABLE, "no answer");
    refused(Kind.REFUSED, () -> site.migrations().cancel(accepted.getId()), "host a: no answer; try again");
    refused(Kind.NOT_FOUND, () -> site.migrations().cancel("nothing"), "migration nothing is not known");
  }

  @Test
  void aDestinationThatSaysNoEndsTheMigrationBeforeTheSourceHearsOfIt() throws RequestException {
    site.agent("b").refuse("prepareIncoming", AgentException.Kind.REFUSED, "no disk");
    Migration ended = site.ended(site.migrate("db", "b"));
    assertThat(ended.getState()).isEqualTo(Migration.State.FAILED);
    assertThat(ended.getFailure().getCode()).isEqualTo("DESTINATION_REFUSED");
    assertThat(ended.getFailure().getMessage()).isEqualTo("host b: no disk");
    assertThat(site.agent("a").count("startOutgoing")).isZero();
    assertThat(site.owner("db")).containsExactly("a", 1L);

    site.agent("b").refuse("prepareIncoming", AgentException.Kind.UNREACHABLE, "no route");
    assertThat(site.ended(site.migrate("db", "b")).getFailure().getCode()).isEqualTo("DESTINATION_UNREACHABLE");
    assertThat(site.owner("db")).containsExactly("a", 1L);
  }

  @Test
  void aSourceThatSaysNoEndsTheMigration() throws RequestException {
    site.agent("a").refuse("startOutgoing", AgentException.Kind.REFUSED, "busy");
    Migration ended = site.ended(site.migrate("db", "b"));
    assertThat(ended.getFailure().getMessage()).isEqualTo("host a: busy");
    assertThat(site.owner("db")).containsExactly("a", 1L);
  }

  @Test
  void aSourceThatIsLostBeforeTheCommitEndsTheMigrationAndTheVmStaysItsOwn() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    await().until(() -> site.agent("a").count("watchOutgoing") == 1);
    site.agent("a").goSilent();
    await().until(() -> site.agent("a").count("watchOutgoing") >= 2);
    assertThat(site.owner("db")).as("a silent stream alone decides nothing").containsExactly("a", 1L,
        accepted.getId());
    site.timeOutAllBut("b");
    Migration ended = site.ended(accepted);

    assertThat(ended.getState()).isEqualTo(Migration.State.FAILED);
    assertThat(ended.getFailure().getCode()).isEqualTo("SOURCE_LOST");
    assertThat(site.owner("db")).containsExactly("a", 1L);
    assertThat(commit(accepted).outcome()).as("a source that comes back").isEqualTo(Outcome.ABORTED);
    assertThat(site.machines().show("db").getState()).isEqualTo(Vm.State.UNKNOWN);
  }

  @Test
  void theCoordinatorsOwnStallAbortsNoMigration() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    site.agent("a").say(Reports.running(MigrationStage.Name.PRE_COPY, 0.5));
    await().until(() -> site.migrations().show(accepted.getId()).getStage() == MigrationStage.Name.PRE_COPY);
    site.stall(Duration.ofMinutes(1));
    // The connection broke meanwhile, too, which alone says nothing.
    site.agent("a").breakStream(AgentException.Kind.UNREACHABLE, "keep-alive failed");
    await().until(() -> site.agent("a").count("watchOutgoing") >= 2);

    assertThat(site.owner("db")).containsExactly("a", 1L, accepted.getId());
    assertThat(site.ledger().commit(site.vmId("db"), new MigrationId(accepted.getId()),
        (host, incarnation) -> !site.inventory().isLost(host, incarnation)).outcome()).isEqualTo(Outcome.COMMITTED);
  }

  @Test
  void aSourceThatRestartedKnowsNothingOfItsMigration() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    await().until(() -> site.agent("a").count("watchOutgoing") == 1);
    site.register("a");
    site.agent("a").forgetOutgoing();
    assertThat(site.ended(accepted).getFailure().getCode()).isEqualTo("SOURCE_LOST");
    assertThat(site.owner("db")).containsExactly("a", 1L);
  }

  @Test
  void aSourceThatFallsSilentAfterTheCommitLeavesACompletedMigrationWithABound() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    site.agent("a").say(Reports.running(MigrationStage.Name.STOP_AND_COPY, 0.9));
    await().until(() -> site.migrations().show(accepted.getId()).getStage() == MigrationStage.Name.STOP_AND_COPY);
    commit(accepted);
    site.agent("a").goSilent();
    site.agent("b").incoming(GetIncomingResponse.State.READY);
    await().until(() -> site.agent("b").count("incomingState") >= 1);
    assertThat(MigrationSupervisor.isFinal(site.migrations().show(accepted.getId()))).isFalse();
    site.agent("b").incoming(GetIncomingResponse.State.RUNNING);
    Migration ended = site.ended(accepted);

    assertThat(ended.getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(ended.hasBlackoutSeconds()).isFalse();
    assertThat(ended.getBlackoutBoundSeconds()).isBetween(0.0, 60.0);
    assertThat(ended.hasFailure()).isFalse();
    assertThat(site.owner("db")).containsExactly("b", 2L);
  }

  @Test
  void aHeartbeatOfTheDestinationUnderTheNewEpochProvesThatTheVmRunsThere() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    await().until(() -> site.agent("a").count("watchOutgoing") == 1);
    commit(accepted);
    site.agent("b").refuse("incomingState", AgentException.Kind.UNREACHABLE, "no answer");
    site.hosts("b", "db", vm -> vm.setEpoch(2));
    site.heartbeat("b");
    site.agent("a").goSilent();
    assertThat(site.ended(accepted).getState()).isEqualTo(Migration.State.COMPLETED);
  }

  @Test
  void aDestinationThatFallsSilentAfterTheCommitLeavesTheMigrationInDoubtUntilItComesBack() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    await().until(() -> site.agent("a").count("watchOutgoing") == 1);
    commit(accepted);
    site.agent("b").goSilent();
    site.agent("a").goSilent();
    site.timeOutAllBut("a");
    await().until(() -> site.migrations().show(accepted.getId()).hasFailure());
    Migration doubtful = site.migrations().show(accepted.getId());
    assertThat(doubtful.getState()).isEqualTo(Migration.State.IN_DOUBT);
    assertThat(doubtful.getFailure().getCode()).isEqualTo("DESTINATION_LOST");

    site.hosts("b", "db", vm -> vm.setEpoch(2));
    site.heartbeat("b");
    Migration ended = site.ended(accepted);
    assertThat(ended.getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(ended.hasFailure()).isFalse();
  }

  @Test
  void aDestinationThatDiesAfterTheCommitFailsTheMigrationAndTheVmIsItsOwn() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    await().until(() -> site.agent("a").count("watchOutgoing") == 1);
    commit(accepted);
    site.agent("b").goSilent();
    site.agent("a").goSilent();
    await().until(() -> site.agent("b").count("incomingState") >= 1);
    site.register("b");
    site.heartbeat("b");
    Migration ended = site.ended(accepted);

    assertThat(ended.getState()).isEqualTo(Migration.State.FAILED);
    assertThat(ended.getFailure().getCode()).isEqualTo("LOST_AFTER_COMMIT");
    assertThat(site.owner("db")).containsExactly("b", 2L);
    assertThat(site.machines().show("db").getState()).isEqualTo(Vm.State.FAILED);
  }

  @Test
  void aDestinationWhoseNextAgentTakesTheVmOverCompletesTheMigration() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    await().until(() -> site.agent("a").count("watchOutgoing") == 1);
    commit(accepted);
    site.agent("b").goSilent();
    site.agent("a").goSilent();
    Incarnation before = site.incarnation("b");
    site.register("b");
    HostId b = new HostId("b");
    site.inventory().heartbeat(b, site.incarnation("b"), 0,
        new HostContent(List.of(), List.of(), Set.of(site.vmId("db"))));
    long asked = site.agent("b").count("incomingState");
    await().until(() -> site.agent("b").count("incomingState") > asked + 1);
    assertThat(site.migrations().show(accepted.getId()).getState()).isNotEqualTo(Migration.State.FAILED);

    Decision taken = site.ledger().takeOver(site.vmId("db"),
        new OwnershipEvent.TakeOver(b, site.incarnation("b"), Set.of(before)), site.inventory()::isAlive);
    assertThat(taken.outcome()).isEqualTo(Outcome.COMMITTED);
    site.hosts("b", "db", vm -> vm.setEpoch(3));
    site.heartbeat("b");
    assertThat(site.ended(accepted).getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(site.ended(accepted).hasFailure()).isFalse();
    assertThat(site.machines().show("db").getState()).isEqualTo(Vm.State.RUNNING);
  }

  @Test
  void aSourceThatWaitsForItsDestinationsWordDoesNotHideThatTheDestinationIsLost() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    site.agent("a").say(Reports.inDoubt());
    await().until(() -> site.migrations().show(accepted.getId()).getState() == Migration.State.IN_DOUBT);
    commit(accepted);
    site.agent("b").goSilent();
    site.timeOutAllBut("a");
    await().until(() -> site.migrations().show(accepted.getId()).hasFailure());
    assertThat(site.migrations().show(accepted.getId()).getState()).isEqualTo(Migration.State.IN_DOUBT);
    site.register("b");
    site.heartbeat("b");
    assertThat(site.ended(accepted).getFailure().getCode()).isEqualTo("LOST_AFTER_COMMIT");
    assertThat(site.owner("db")).containsExactly("b", 2L);
  }

  @Test
  void aStreamThatBreaksIsTakenUpAgain() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    site.agent("a").breakStream(AgentException.Kind.UNREACHABLE, "connection reset");
    site.agent("a").breakStream(AgentException.Kind.FAILED, "it broke");
    site.agent("a").endStream();
    site.agent("a").say(Reports.running(MigrationStage.Name.PRE_COPY, 0.7));
    await().until(() -> site.migrations().show(accepted.getId()).getProgress().getDone() == 0.7);
    assertThat(site.agent("a").count("watchOutgoing")).isEqualTo(4);
    assertThat(site.owner("db")).containsExactly("a", 1L, accepted.getId());
    site.agent("a").say(Reports.completed());
    assertThat(site.ended(accepted).getState()).isEqualTo(Migration.State.COMPLETED);
  }

  @Test
  void aStartWhoseAnswerWasLostIsFollowedAllTheSame() throws RequestException {
    site.agent("a").when("startOutgoing", () -> site.agent("a").refuse("startOutgoing",
        AgentException.Kind.UNREACHABLE, "deadline"));
    Migration accepted = site.migrate("db", "b");
    assertThat(site.ended(accepted).getFailure().getCode()).as("it had not started").isEqualTo("SOURCE_LOST");
    assertThat(site.owner("db")).containsExactly("a", 1L);
  }

  @Test
  void theBeginningOfAnIdIsEnoughWhereItIsUnambiguous() throws RequestException {
    site.createVm("web", "a");
    Migration first = site.migrate("db", "b");
    Migration second = site.migrate("web", "b");
    int same = 0;
    while (first.getId().charAt(same) == second.getId().charAt(same)) {
      same++;
    }
    assertThat(site.migrations().show(first.getId().substring(0, same + 1)).getId()).isEqualTo(first.getId());
    assertThat(site.migrations().show(second.getId().substring(0, same + 1)).getId()).isEqualTo(second.getId());
    if (same > 0) {
      String both = first.getId().substring(0, same);
      refused(Kind.INVALID, () -> site.migrations().show(both), "is ambiguous: 2 ids match");
    }
    refused(Kind.NOT_FOUND, () -> site.migrations().show(""), "is not known");
    refused(Kind.NOT_FOUND, () -> site.migrations().show(first.getId() + "0"), "is not known");
    refused(Kind.NOT_FOUND, () -> site.migrations().watch("zz", migration -> {
    }), "is not known");
  }

  @Test
  void aWatchThatEndedHearsNothingMore() throws RequestException {
    Migration accepted = site.migrate("db", "b");
    List<Migration> seen = new CopyOnWriteArrayList<>();
    site.migrations().watch(accepted.getId(), seen::add).end();
    site.agent("a").say(Reports.completed());
    site.ended(accepted);
    assertThat(seen).hasSize(1);
  }

  private Decision commit(Migration migration) {
    return site.ledger().commit(site.vmId("db"), id(migration), site.inventory()::isCurrent);
  }

  private static MigrationId id(Migration migration) {
    return new MigrationId(migration.getId());
  }

  private static void refused(Kind kind, org.assertj.core.api.ThrowableAssert.ThrowingCallable request, String part) {
    RequestException refusal = catchThrowableOfType(RequestException.class, request);
    assertThat(refusal).isNotNull().hasMessageContaining(part);
    assertThat(refusal.kind()).isEqualTo(kind);
  }
}
