package dev.pageferry.coordinator.maintenance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.fakes.Reports;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import dev.pageferry.proto.cluster.v1.Vm;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Hosts are drained and activated, on records and hosts that are played. */
class MaintenanceTest extends MaintenanceFixture {
  @Test
  void allVmsLeaveAHostThatIsDrainedAndNoneComesUntilItIsActivated() throws Exception {
    site.createVm("x", "a");
    site.createVm("y", "a");
    site.createVm("z", "b");

    MovePlan begun = maintenance.drain("a", false, false);
    assertThat(begun.getState()).isEqualTo(MovePlan.State.RUNNING);
    assertThat(begun.getForecast().getBasis()).contains("a guess");
    MovePlan end = look("a");

    assertThat(end.getState()).as(end.toString()).isEqualTo(MovePlan.State.COMPLETED);
    assertThat(states(end)).containsExactly("x a>b MOVED", "y a>b MOVED");
    assertThat(end.getMoves(0).getBlackoutSeconds()).isEqualTo(0.02);
    refused("host a is drained", () -> site.createVm("new", "a"));
    refused("host a is drained", () -> site.migrate("z", "a"));
    assertThat(site.deaths().place("z").getHosts(0).getReason()).contains("it is drained");

    assertThat(maintenance.activate("a", true).getKind()).isEqualTo(MovePlan.Kind.FAIL_BACK);
    end = look("a");
    assertThat(states(end)).containsExactly("x b>a MOVED", "y b>a MOVED");
    assertThat(site.owner("x")).containsExactly("a", 3L);
    assertThat(site.owner("z")).containsExactly("b", 1L);
    site.createVm("new", "a");
  }

  @Test
  void whereAVmHasNowhereToGoNothingIsBegun() throws Exception {
    site.createVm("x", "a");
    site.timeOutAllBut("a");
    MovePlan dry = maintenance.drain("a", false, true);
    assertThat(dry.getState()).isEqualTo(MovePlan.State.DRY_RUN);
    assertThat(dry.getMoves(0).getTo()).isEmpty();
    assertThat(dry.getMoves(0).getReason()).contains("no host can take it", "b: it is DOWN");
    refused("host a cannot be drained, and nothing was changed: VM x: no host can take it",
        () -> maintenance.drain("a", false, false));
    assertThat(site.inventory().plans().list()).isEmpty();
    site.heartbeat("a", "b", "c");
    assertThat(maintenance.drain("a", false, true).getMoves(0).getTo()).isEqualTo("b");
    assertThat(site.inventory().plans().list()).isEmpty();
  }

  @Test
  void aMoveThatFailsIsTriedAgainAndAtLastThroughAFileAndNotWithoutEnd() throws Exception {
    site.createVm("x", "a");
    failMoves("a", "DESTINATION_LOST");
    MovePlan _ = maintenance.drain("a", false, false);
    for (int attempt = 1; attempt <= PlannedMoves.MOST_ATTEMPTS; attempt++) {
      int now = attempt;
      await().atMost(Duration.ofMinutes(1)).pollInterval(Duration.ofMillis(20)).until(() -> {
        maintenance.look();
        return plan("a").getMoves(0).getAttempts() == now;
      });
    }
    MovePlan end = look("a");
    PlannedMove move = end.getMoves(0);
    assertThat(end.getState()).isEqualTo(MovePlan.State.FAILED);
    assertThat(end.getReason()).isEqualTo("1 of 1 VMs could not be moved");
    assertThat(move.getReason()).isEqualTo("DESTINATION_LOST: so it is");
    assertThat(move.getFallback()).contains("through a file");
    assertThat(site.migrations().list()).extracting(Migration::getKind).containsExactly(Migration.Kind.LIVE,
        Migration.Kind.LIVE, Migration.Kind.QUICK, Migration.Kind.QUICK);
    assertThat(site.migrations().list()).extracting(Migration::getDestination)
        .as("elsewhere than where the last one failed").containsExactly("b", "c", "b", "c");
    assertThat(site.owner("x")).containsExactly("a", 1L);

    carryOutMoves("a");
    MovePlan again = maintenance.drain("a", false, false);
    assertThat(again.getId()).as("who follows it need not know").isEqualTo(end.getId());
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
  }

  @Test
  void whatDoesNotConvergeGoesThroughAFileAtOnce() throws Exception {
    site.createVm("x", "a");
    failMoves("a", "STALLED");
    MovePlan _ = maintenance.drain("a", false, false);
    await().atMost(SOON).until(() -> {
      maintenance.look();
      return plan("a").getMoves(0).getAttempts() == 1 && plan("a").getMoves(0).getState() == PlannedMove.State.WAITING;
    });
    assertThat(plan("a").getMoves(0).getQuick()).isTrue();
  }

  @Test
  void whatWritesMostIsMovedLastAndIdleGuestsFirstHoweverManyStepsTheyDo() throws Exception {
    Vm _ = site.machines().create(FakeSite.request("hot", "a").toBuilder().setProgram("uniform").build());
    Vm _ = site.machines().create(FakeSite.request("warm", "a").toBuilder().setProgram("uniform").build());
    site.createVm("zero", "a");
    for (int second = 0; second < 2; second++) {
      long steps = second;
      site.hosts("a", "hot", vm -> vm.setEpoch(1).setSteps(5000 * steps));
      site.hosts("a", "warm", vm -> vm.setEpoch(1).setSteps(100 * steps));
      site.hosts("a", "zero", vm -> vm.setEpoch(1).setSteps(90_000 * steps));
      site.ticker().advance(Duration.ofSeconds(1));
      site.heartbeat("a", "b", "c");
    }
    assertThat(maintenance.drain("a", false, true).getMovesList()).extracting(PlannedMove::getVm)
        .containsExactly("zero", "warm", "hot");
  }

  @Test
  void aDrainThatIsAskedForTwiceIsOne() throws Exception {
    site.createVm("x", "a");
    MovePlan begun = maintenance.drain("a", false, false);
    assertThat(maintenance.drain("a", false, false).getId()).isEqualTo(begun.getId());
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
    assertThat(maintenance.drain("a", false, false).getId()).isEqualTo(begun.getId());
    assertThat(moved).containsExactly("x");
  }

  @Test
  void oneMoveAtATimeLeavesAHostAndOneComes() throws Exception {
    site.createVm("x", "a");
    site.createVm("y", "a");
    site.createVm("z", "b");
    for (String each : List.of("a", "b")) {
      site.agent(each).when("startOutgoing", () -> {
        // They go on.
      });
    }
    MovePlan _ = maintenance.drain("a", false, false);
    MovePlan _ = maintenance.drain("b", false, false);
    maintenance.look();
    maintenance.look();
    assertThat(states(plan("b"))).containsExactly("z b>c MOVING");
    assertThat(states(plan("a"))).as("host c takes one at a time").containsExactly("x a>c WAITING", "y a>c WAITING");
    site.agent("b").say(Reports.ended(OutgoingStatus.State.ROLLED_BACK, "DESTINATION_LOST", "so it is"));
    await().atMost(SOON).until(() -> {
      maintenance.look();
      return states(plan("a")).contains("x a>c MOVING");
    });
    assertThat(states(plan("a"))).as("host a lets one leave at a time").contains("y a>c WAITING");
  }

  @Test
  void aCoordinatorThatStartsGoesOnWithWhatWasUnderWayAndBeginsNothingTwice() throws Exception {
    site.createVm("x", "a");
    site.createVm("y", "a");
    site.agent("a").when("startOutgoing", () -> {
      // It goes on.
    });
    MovePlan begun = maintenance.drain("a", false, false);
    maintenance.look();
    assertThat(states(plan("a"))).contains("x a>b MOVING");
    // As if it had ended before it knew the migration's id.
    MovePlan.Builder early = plan("a").toBuilder();
    early.getMovesBuilderList().forEach(PlannedMove.Builder::clearMigrationId);
    site.inventory().plans().put(early.build());

    site = site.afterCoordinatorRestart();
    site.migrations().recover();
    site.register("a");
    site.register("b");
    site.register("c");
    site.heartbeat("a", "b", "c");
    maintenance = site.maintenance();
    maintenance.look();
    assertThat(plan("a").getId()).isEqualTo(begun.getId());
    assertThat(site.migrations().list()).as("the migration is found by its request").hasSize(1);
    assertThat(site.migrations().list().getFirst().getId()).isEqualTo(plan("a").getMovesList().stream()
        .filter(each -> each.getVm().equals("x")).findFirst().orElseThrow().getMigrationId());
  }

  @Test
  void whatIsStoppedOrMovedByAnOperatorMeanwhileIsLeftOut() throws Exception {
    site.createVm("x", "a");
    site.createVm("y", "a");
    site.agent("a").refuse("startOutgoing", AgentException.Kind.REFUSED, "not now");
    MovePlan _ = maintenance.drain("a", false, false);
    maintenance.look();
    var _ = site.machines().stop("y");
    site.heartbeat("a");
    await().atMost(SOON).until(() -> {
      maintenance.look();
      return states(plan("a")).stream().anyMatch(each -> each.startsWith("y") && each.endsWith("LEFT_OUT"));
    });

    site.agent("a").accept("startOutgoing");
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
    Migration elsewhere = site.migrate("x", site.row("x").getOwnerHost().equals("b") ? "c" : "b");
    var _ = site.ended(elsewhere);
    String where = site.row("x").getOwnerHost();
    MovePlan _ = maintenance.activate("a", true);
    assertThat(look("a").getMovesList()).allMatch(each -> each.getState() == PlannedMove.State.LEFT_OUT);
    assertThat(site.row("x").getOwnerHost()).isEqualTo(where);
  }

  @Test
  void aVmThatComesAfterAllIsMovedOnAndAnEmptyHostIsInMaintenanceAtOnce() throws Exception {
    MovePlan _ = maintenance.drain("a", false, false);
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
    MovePlan drained = plan("a");
    // A move that was accepted just before the drain, and committed after it.
    site.inventory().plans().forget(new HostId("a"), new Transaction());
    site.createVm("late", "a");
    site.inventory().plans().put(drained);
    await().atMost(SOON).pollInterval(Duration.ofMillis(5)).until(() -> {
      maintenance.look();
      return plan("a").getState() == MovePlan.State.RUNNING;
    });
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
    assertThat(site.row("late").getOwnerHost()).isNotEqualTo("a");
  }

  @Test
  void aHostThatIsActivatedWhileItIsDrainedGetsItsVmsBack() throws Exception {
    site.createVm("x", "a");
    site.createVm("y", "a");
    MovePlan _ = maintenance.drain("a", false, false);
    await().atMost(SOON).pollInterval(Duration.ofMillis(1)).until(() -> {
      maintenance.look();
      return moved.size() == 1;
    });
    MovePlan _ = maintenance.activate("a", true);
    MovePlan end = look("a");
    assertThat(end.getState()).as(end.toString()).isEqualTo(MovePlan.State.COMPLETED);
    assertThat(site.row("x").getOwnerHost()).isEqualTo("a");
    assertThat(site.row("y").getOwnerHost()).isEqualTo("a");
  }

  @Test
  void aDrainThatFollowsAFailBackRemembersWhatHasNotComeBack() throws Exception {
    site.createVm("x", "a");
    MovePlan _ = maintenance.drain("a", false, false);
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
    MovePlan _ = maintenance.activate("a", true);
    MovePlan _ = maintenance.drain("a", false, false);
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
    assertThat(site.row("x").getOwnerHost()).isNotEqualTo("a");
    MovePlan _ = maintenance.activate("a", true);
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
    assertThat(site.row("x").getOwnerHost()).isEqualTo("a");
  }

  @Test
  void activatingWithoutFailBackLeavesVmsWhereTheyAreAndAHostThatIsNotDrainedAsItIs() throws Exception {
    site.createVm("x", "a");
    assertThat(maintenance.activate("a", true).getMovesList()).isEmpty();
    MovePlan _ = maintenance.drain("a", false, false);
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
    assertThat(maintenance.activate("a", false).getMovesList()).isEmpty();
    assertThat(look("a").getState()).isEqualTo(MovePlan.State.COMPLETED);
    assertThat(site.row("x").getOwnerHost()).isNotEqualTo("a");
    site.createVm("new", "a");
  }

  @Test
  void freeMemoryIsEvenedOutAndWhatIsEvenStaysAsItIs() throws Exception {
    for (int i = 0; i < 6; i++) {
      site.createVm("vm" + i, "a");
    }
    assertThat(maintenance.rebalance(true).getMovesList()).as("all hosts say that they have as much").isEmpty();
    assertThat(site.inventory().plans().list()).isEmpty();
    site.inventory().heartbeat(new HostId("a"), site.incarnation("a"), 128 * FakeSite.MIB, site.agent("a").vms());
    MovePlan dry = maintenance.rebalance(true);
    assertThat(dry.getMovesList()).isNotEmpty().allMatch(each -> each.getFrom().equals("a"));
    MovePlan begun = maintenance.rebalance(false);
    assertThat(begun.getMovesCount()).isEqualTo(dry.getMovesCount());
    refused("already", () -> maintenance.rebalance(false));
    await().atMost(SOON).until(() -> {
      maintenance.look();
      site.heartbeat("a", "b", "c");
      return maintenance.plan(begun.getId()).getState() == MovePlan.State.COMPLETED;
    });
    assertThat(moved).hasSize(dry.getMovesCount());
  }
}
