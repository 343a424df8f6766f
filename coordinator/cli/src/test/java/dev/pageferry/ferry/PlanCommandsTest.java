package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.util.Timestamps;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.ActivateHostRequest;
import dev.pageferry.proto.cluster.v1.DrainHostRequest;
import dev.pageferry.proto.cluster.v1.Forecast;
import dev.pageferry.proto.cluster.v1.GetPlanRequest;
import dev.pageferry.proto.cluster.v1.ListPlansResponse;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.PlannedMove;
import dev.pageferry.proto.cluster.v1.PlannedMove.State;
import dev.pageferry.proto.cluster.v1.RebalanceRequest;
import io.grpc.Status;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Planned work on the command line. */
class PlanCommandsTest extends CommandFixture {
  private static final PlannedMove MOVED = PlannedMove.newBuilder().setVm("web-1").setVmId("1").setFrom("host-a")
      .setTo("host-b").setState(State.MOVED).setSeconds(1.5).setBlackoutSeconds(0.004).setMemoryBytes(1 << 30).build();
  private static final PlannedMove WAITING = PlannedMove.newBuilder().setVm("web-2").setVmId("2").setFrom("host-a")
      .setTo("host-c").setState(State.WAITING).setSeconds(2).setReason("it has the most memory left").build();
  private static final MovePlan RUNNING = MovePlan.newBuilder().setId("plan-1").setKind(MovePlan.Kind.DRAIN)
      .setHost("host-a").setState(MovePlan.State.RUNNING).setBegunAt(Timestamps.fromMillis(1_000_000)).addMoves(MOVED)
      .addMoves(WAITING)
      .setRest(Forecast.newBuilder().setSeconds(2).setEarliestSeconds(1).setLatestSeconds(3).setBasis("a guess"))
      .build();
  private static final MovePlan COMPLETED = RUNNING.toBuilder().setState(MovePlan.State.COMPLETED)
      .setEndedAt(Timestamps.fromMillis(1_012_000)).clearRest()
      .setMoves(1, WAITING.toBuilder().setState(State.MOVED).clearReason()).build();

  @Test
  void aDrainIsFollowedToItsEndAndEachMoveIsToldOnce() {
    cluster.answer("DrainHost", RUNNING);
    AtomicInteger asked = new AtomicInteger();
    cluster.answer("GetPlan",
        _ -> new FakeCluster.Answer(List.of(asked.incrementAndGet() < 3 ? RUNNING : COMPLETED), Status.OK));
    assertThat(ferry.run("host", "drain", "host-a", "--quick")).as(ferry.err()).isZero();
    assertThat(cluster.onlyRequest(DrainHostRequest.class))
        .isEqualTo(DrainHostRequest.newBuilder().setHost("host-a").setQuick(true).build());
    assertThat(ferry.err()).containsOnlyOnce("web-1 is on host-b: moved in 1.50 s, paused for 4.0 ms")
        .contains("1 of 2 VMs, about 2.00 s (1.00 s to 3.00 s; a guess) left").contains("web-2 is on host-c");
    assertThat(ferry.out()).containsPattern("state: +COMPLETED").containsPattern("took: +12.00 s")
        .containsPattern("web-1 +host-a +host-b +MOVED +live +1 GiB +1.50 s +4.0 ms");
  }

  @Test
  void whatFailedIsSaidAndEndsWithOne() {
    MovePlan failed = COMPLETED.toBuilder().setState(MovePlan.State.FAILED).setReason("1 of 2 VMs could not be moved")
        .setMoves(1, WAITING.toBuilder().setState(State.FAILED).setReason("STALLED: it writes\ntoo much")).build();
    cluster.answer("DrainHost", RUNNING);
    cluster.answer("GetPlan", failed);
    assertThat(ferry.run("host", "drain", "host-a")).isEqualTo(ExitCode.FAILED);
    assertThat(ferry.err()).contains("web-2 could not be moved: STALLED: it writes too much")
        .contains("1 of 2 VMs could not be moved; nothing was lost");
  }

  @Test
  void aRefusalIsShownAndChangesNothing() {
    cluster.refuse("DrainHost", Status.FAILED_PRECONDITION.withDescription("host host-a cannot be drained"));
    assertThat(ferry.run("host", "drain", "host-a")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.err()).contains("host host-a cannot be drained");
  }

  @Test
  void aDryRunSaysWhereAllWouldGoAndIsRefusedWhereOneHasNowhereToGo() {
    MovePlan dry = RUNNING.toBuilder().setState(MovePlan.State.DRY_RUN).clearId().build();
    cluster.answer("DrainHost", dry);
    assertThat(ferry.run("host", "drain", "host-a", "--dry-run")).as(ferry.err()).isZero();
    assertThat(cluster.onlyRequest(DrainHostRequest.class).getDryRun()).isTrue();
    assertThat(ferry.out()).containsPattern("would take: +about 2.00 s");
    cluster.answer("DrainHost",
        dry.toBuilder().setMoves(1, WAITING.toBuilder().clearTo().setReason("no host can take it: b")).build());
    assertThat(ferry.run("host", "drain", "host-a", "--dry-run")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.err()).contains("1 of 2 VMs have nowhere to go, such as web-2: no host can take it: b");
  }

  @Test
  void aPlanThatIsLeftAloneIsFoundByItsId() {
    cluster.answer("ActivateHost", RUNNING);
    assertThat(ferry.run("host", "activate", "host-a", "--no-fail-back", "--detach")).as(ferry.err()).isZero();
    assertThat(ferry.out()).isEqualTo("plan-1\n");
    assertThat(cluster.onlyRequest(ActivateHostRequest.class).getNoFailBack()).isTrue();
    cluster.answer("GetPlan", COMPLETED);
    assertThat(ferry.run("plan", "watch", "plan-1")).as(ferry.err()).isZero();
    assertThat(ferry.run("plan", "show", "plan-1", "-o", "json")).isZero();
    assertThat(cluster.requests()).contains(GetPlanRequest.newBuilder().setId("plan-1").build());
    assertThat(ferry.out()).contains("\"state\": \"COMPLETED\"", "\"memoryBytes\": \"1073741824\"");
    cluster.answer("ListPlans", ListPlansResponse.newBuilder().addPlans(COMPLETED).build());
    assertThat(ferry.run("plan", "list")).isZero();
    assertThat(ferry.out()).containsPattern("plan-1 +DRAIN +host-a +COMPLETED +2 +0 +0");
  }

  @Test
  void aCoordinatorThatGoesAwayIsWaitedForAndThePlanGoesOn() {
    cluster.answer("DrainHost", RUNNING);
    AtomicInteger asked = new AtomicInteger();
    cluster.answer("GetPlan", _ -> asked.incrementAndGet() == 1
        ? new FakeCluster.Answer(List.of(), Status.UNAVAILABLE)
        : new FakeCluster.Answer(List.of(COMPLETED), Status.OK));
    assertThat(ferry.run("host", "drain", "host-a")).as(ferry.err()).isZero();
    assertThat(ferry.err()).contains("lost the coordinator at");
  }

  @Test
  void memoryIsEvenedOutOrOnlyLookedAt() {
    cluster.answer("Rebalance", COMPLETED.toBuilder().setState(MovePlan.State.DRY_RUN).build());
    assertThat(ferry.run("rebalance", "--dry-run")).as(ferry.err()).isZero();
    assertThat(cluster.onlyRequest(RebalanceRequest.class).getDryRun()).isTrue();
    cluster.answer("Rebalance", COMPLETED);
    assertThat(ferry.run("rebalance")).as(ferry.err()).isZero();
  }

  @Test
  void wrongUsageIsSaidBeforeAnythingIsAsked() {
    assertThat(ferry.run("host", "drain")).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).contains("name one host, or give --rolling");
    assertThat(ferry.run("host", "drain", "a", "b")).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.run("host", "drain", "a", "--then", "true")).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).contains("--then and --anew go with --rolling");
    assertThat(ferry.run("host", "drain", "--rolling", "--dry-run")).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.run("host", "drain", "a", "--dry-run", "--detach")).isEqualTo(ExitCode.USAGE);
    assertThat(cluster.requests()).isEmpty();
  }
}
