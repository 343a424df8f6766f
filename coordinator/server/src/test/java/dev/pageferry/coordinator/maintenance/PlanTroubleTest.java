package dev.pageferry.coordinator.maintenance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** Plans that meet with what operators do meanwhile, and with hosts that die or say nothing. */
class PlanTroubleTest extends MaintenanceFixture {
  private void drain(String host) throws Exception {
    MovePlan _ = maintenance.drain(host, false, false);
    assertThat(look(host).getState()).isEqualTo(MovePlan.State.COMPLETED);
  }

  private void goOn(String host) {
    site.agent(host).when("startOutgoing", () -> {
      // Its moves go on.
    });
  }

  private void await(Callable<Boolean> condition) {
    Awaitility.await().atMost(SOON).pollInterval(Duration.ofMillis(10)).until(() -> {
      maintenance.look();
      return condition.call();
    });
  }

  @Test
  void aVmThatWasComingBackWhenTheHostWasDrainedAgainLeavesOnceMore() throws Exception {
    site.createVm("x", "a");
    drain("a");
    String there = site.row("x").getOwnerHost();
    goOn(there);
    MovePlan _ = maintenance.activate("a", true);
    await(() -> plan("a").getMoves(0).getState() == PlannedMove.State.MOVING);
    MovePlan _ = maintenance.drain("a", false, false);
    carryOut(there);
    MovePlan end = look("a");
    assertThat(end.getState()).as(end.toString()).isEqualTo(MovePlan.State.COMPLETED);
    assertThat(site.row("x").getOwnerHost()).isNotEqualTo("a");
  }

  /** The move that is under way from a host is committed, and ends well. */
  private void carryOut(String source) {
    commitLast(source);
    carryOutMoves(source);
  }

  @Test
  void aVmThatIsPutBackOnTheHostIsMovedAgainUnderAnIdOfItsOwn() throws Exception {
    site.createVm("x", "a");
    drain("a");
    MovePlan drained = plan("a");
    site.inventory().plans().forget(new HostId("a"), new Transaction());
    Migration _ = site.ended(site.migrate("x", "a"));
    site.inventory().plans().put(drained);
    MovePlan end = look("a");
    await(() -> !site.row("x").getOwnerHost().equals("a"));
    assertThat(end.getId()).isEqualTo(drained.getId());
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
  }

  @Test
  void aVmThatHasEndedDoesNotHoldItsHostBack() throws Exception {
    site.createVm("x", "a");
    site.hosts("a", "x", each -> each.setEpoch(1).setState(VmStatus.State.FAILED));
    site.heartbeat("a");
    drain("a");
  }

  /** The first VM of host a is committed to host b, and then nobody says a word. */
  private void leaveInDoubt() throws Exception {
    goOn("a");
    MovePlan _ = maintenance.drain("a", false, false);
    await(() -> site.agent("a").count("watchOutgoing") == 1);
    commitLastWithoutWord("a");
    site.agent("b").goSilent();
    site.agent("a").goSilent();
    site.ticker().advance(FakeSite.HOST_TIMEOUT);
    site.heartbeat("a", "c");
    await(() -> states(plan("a")).contains("x a>b IN_DOUBT"));
  }

  @Test
  void aMoveInDoubtHoldsNoOtherBack() throws Exception {
    site.createVm("x", "a");
    site.createVm("y", "a");
    leaveInDoubt();
    await(() -> plan("a").getMovesList().stream().anyMatch(each -> each.getVm().equals("y") && each.getAsked() > 0));
    assertThat(plan("a").getMovesList()).filteredOn(each -> each.getVm().equals("y")).extracting(PlannedMove::getTo)
        .containsExactly("c");
  }

  @Test
  void aMoveInDoubtIsNotTakenForOneThatWentWell() throws Exception {
    site.createVm("x", "a");
    leaveInDoubt();
    await(() -> plan("a").getState() == MovePlan.State.FAILED);
    assertThat(plan("a").getReason()).contains("VM x: whether it was moved is not known yet");
    site.hosts("b", "x", vm -> vm.setEpoch(2));
    site.agent("b").answerAgain();
    Awaitility.await().atMost(SOON).until(() -> {
      maintenance.look();
      site.heartbeat("a", "b", "c");
      return plan("a").getState() == MovePlan.State.COMPLETED;
    });
    assertThat(states(plan("a"))).containsExactly("x a>b MOVED");
  }

  @Test
  void aFailBackThatFailedIsTriedAgainWhenItIsAskedForAgain() throws Exception {
    site.createVm("x", "a");
    drain("a");
    String there = site.row("x").getOwnerHost();
    failMoves(there, "DESTINATION_LOST");
    MovePlan begun = maintenance.activate("a", true);
    MovePlan.Builder failed = begun.toBuilder().setState(MovePlan.State.FAILED);
    failed.getMovesBuilder(0).setState(PlannedMove.State.FAILED);
    site.inventory().plans().put(failed.clearRest().build());
    carryOutMoves(there);
    assertThat(maintenance.activate("a", true).getId()).isNotEqualTo(begun.getId());
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
    assertThat(site.row("x").getOwnerHost()).isEqualTo("a");
  }

  @Test
  void aHostThatIsNotHeardIsNotCalledEmptyThoughOneThatWasEmptyStaysSo() throws Exception {
    MovePlan _ = maintenance.drain("a", false, false);
    site = site.afterCoordinatorRestart();
    site.register("b");
    site.register("c");
    site.heartbeat("b", "c");
    maintenance = site.maintenance();
    maintenance.look();
    assertThat(plan("a").getState()).isEqualTo(MovePlan.State.RUNNING);
    assertThat(plan("a").getReason()).contains("host a is not heard");
    site.register("a");
    site.heartbeat("a", "b", "c");
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
    site.timeOutAllBut("b", "c");
    await(() -> true);
    assertThat(plan("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
  }

  @Test
  void aRefusalIsNoAttemptAndIsWaitedOut() throws Exception {
    site.createVm("x", "a");
    drain("a");
    String there = site.row("x").getOwnerHost();
    MovePlan _ = maintenance.activate("a", true);
    site.inventory().heartbeat(new HostId("a"), site.incarnation("a"), FakeSite.MIB, List.of());
    await(() -> plan("a").getMoves(0).getReason().contains("free"));
    PlannedMove move = plan("a").getMoves(0);
    assertThat(move.getState()).isEqualTo(PlannedMove.State.WAITING);
    assertThat(move.getAttempts()).isZero();
    assertThat(move.getQuick()).isFalse();
    assertThat(plan("a").getReason()).contains("VM x: host a");
    assertThat(site.row("x").getOwnerHost()).isEqualTo(there);
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
  }

  @Test
  void aDrainCountsOnNoMemoryThatAnotherOneIsGoingToUse() throws Exception {
    for (int i = 0; i < 10; i++) {
      site.createVm("a" + i, "a");
      site.createVm("b" + i, "b");
    }
    goOn("a");
    MovePlan _ = maintenance.drain("a", false, false);
    site.inventory().heartbeat(new HostId("c"), site.incarnation("c"), 700 * FakeSite.MIB, List.of());
    site.inventory().heartbeat(new HostId("a"), site.incarnation("a"), 0, site.agent("a").vms());
    MovePlan dry = maintenance.drain("b", false, true);
    assertThat(dry.getMovesList()).anyMatch(each -> each.getTo().isEmpty());
    refused("host b cannot be drained", () -> maintenance.drain("b", false, false));
  }

  @Test
  void aVmThatTwoDrainsHaveMovedComesHomeAllTheWay() throws Exception {
    site.createVm("x", "a");
    drain("a");
    String second = site.row("x").getOwnerHost();
    drain(second);
    MovePlan _ = maintenance.activate("a", true);
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
    assertThat(site.row("x").getOwnerHost()).isEqualTo("a");
    MovePlan _ = maintenance.activate(second, true);
    assertThat(look(second).getState()).isEqualTo(MovePlan.State.COMPLETED);
    assertThat(site.row("x").getOwnerHost()).isEqualTo("a");
  }

  @Test
  void whatWaitsForAHostThatIsDownSaysSoAndIsCancelled() throws Exception {
    site.createVm("x", "a");
    drain("a");
    String there = site.row("x").getOwnerHost();
    site.timeOutAllBut("a", there.equals("b") ? "c" : "b");
    MovePlan begun = maintenance.activate("a", true);
    maintenance.look();
    assertThat(plan("a").getReason()).contains("VM x: host %s is DOWN".formatted(there));
    MovePlan _ = maintenance.cancel(begun.getId());
    maintenance.look();
    assertThat(plan("a").getState()).isEqualTo(MovePlan.State.CANCELLED);
    assertThat(plan("a").getReason()).isEqualTo("it was cancelled, with 1 of 1 VMs not moved");
    refused("has ended", () -> maintenance.cancel(begun.getId()));
    site.heartbeat("a", "b", "c");
    MovePlan _ = maintenance.activate("a", true);
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
    assertThat(site.row("x").getOwnerHost()).as("activated once more, it comes back").isEqualTo("a");
    MovePlan drained = maintenance.drain("a", false, false);
    refused("'ferry host activate a' ends it", () -> maintenance.cancel(drained.getId()));
  }
}
