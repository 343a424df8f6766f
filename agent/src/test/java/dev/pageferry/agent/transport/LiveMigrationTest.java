package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.migration.BlackoutReport;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.SourceOptions;
import dev.pageferry.agent.migration.source.SourceOptions.OnStall;
import dev.pageferry.agent.migration.source.SourceStatus;
import dev.pageferry.agent.migration.source.SourceStatus.State;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.migration.MigrationStage;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole migrations over loopback sockets, checked page by page against a twin that is replayed from the start. */
class LiveMigrationTest {
  private final TestCluster cluster = new TestCluster();
  private TestHost a;
  private TestHost b;

  @BeforeEach
  void start() throws Exception {
    a = cluster.host("a");
    b = cluster.host("b");
  }

  @AfterEach
  void close() throws Exception {
    cluster.close();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 16})
  void aRunningVmArrivesWholeOverAnyNumberOfStreams(int streams) throws Exception {
    VirtualMachine vm = a.boot(TestCluster.hotSet());
    TestCluster.awaitSteps(vm, 2000);
    TestCluster.Move move = cluster.start(a, b, vm, TestCluster.options(streams));
    SourceStatus status = move.await();

    assertThat(status.state()).as("%s", status.failure()).isEqualTo(State.COMPLETED);
    VirtualMachine arrived = TestCluster.assertArrived(a, b, vm);
    assertThat(b.find(vm.spec().id()).orElseThrow().epoch().value()).isEqualTo(2);
    assertThat(b.incoming().state(move.id())).isEqualTo(IncomingMigrations.State.RUNNING);
    assertThat(move.givenAway()).containsExactly(vm);
    TestCluster.awaitSteps(arrived, 1000);
    assertReported(status);
    TestCluster.awaitFree(a, TestHost.MEMORY_BYTES);
  }

  private static void assertReported(SourceStatus status) {
    BlackoutReport blackout = status.blackout().orElseThrow();
    assertThat(blackout.total()).isBetween(0.0, status.totalSeconds());
    assertThat(status.stage()).isEqualTo(MigrationStage.NETWORK_CLEANUP);
    assertThat(status.progress().done()).isEqualTo(1);
    assertThat(status.rounds()).hasSizeGreaterThanOrEqualTo(2);
    assertThat(status.rounds().getLast().dirtyPagesAfter()).isZero();
    assertThat(status.rounds().getLast().skippedPages()).as("the last round skips nothing").isZero();
    assertThat(status.bytesSent()).isPositive();
    assertThat(status.guestSpeed().after().orElseThrow()).isPositive();
  }

  @ParameterizedTest
  @CsvSource({"uniform, 400MB/s", "sequential, 80MB/s", "zipf, 40MB/s"})
  void everyProgramArrivesWhole(String program, String rate) throws Exception {
    VirtualMachine vm = a.boot(TestCluster.spec(program, Map.of("rate", rate, "workingSet", "4MiB"), 2));
    TestCluster.awaitSteps(vm, 2000);

    TestCluster.awaitSteps(cluster.move(a, b, vm, TestCluster.options(2)), 1000);
  }

  @Test
  void anIdleVmGoesOverWithoutAPage() throws Exception {
    VirtualMachine vm = a.boot(TestCluster.spec("idle", Map.of(), 2));
    TestCluster.Move move = cluster.start(a, b, vm, TestCluster.options(3));
    SourceStatus status = move.await();

    assertThat(status.state()).isEqualTo(State.COMPLETED);
    assertThat(status.rounds()).allSatisfy(round -> assertThat(round.pagesSent() + round.zeroPages()).isZero());
    TestCluster.assertArrived(a, b, vm);
  }

  @Test
  void aVmThatTheOperatorPausedStaysPausedAtTheDestination() throws Exception {
    VirtualMachine vm = a.boot(TestCluster.hotSet());
    TestCluster.awaitSteps(vm, 500);
    vm.pause(PauseReason.OPERATOR);
    long steps = vm.steps();

    VirtualMachine arrived = cluster.move(a, b, vm, TestCluster.options(3));

    assertThat(arrived.isPausedFor(PauseReason.OPERATOR)).isTrue();
    assertThat(arrived.isPausedFor(PauseReason.MIGRATION)).isFalse();
    assertThat(arrived.steps()).isEqualTo(steps);
    arrived.resume(PauseReason.OPERATOR);
    TestCluster.awaitSteps(arrived, 500);
  }

  @Test
  void everyPageOfARandomlyFilledVmArrives() throws Exception {
    VmSpec spec = TestCluster.spec("hotset", Map.of("rate", "10MB/s", "workingSet", "1MiB", "fill", "random"), 2);
    VirtualMachine vm = a.boot(spec);
    TestCluster.Move move = cluster.start(a, b, vm, TestCluster.options(3));
    SourceStatus status = move.await();

    assertThat(status.state()).isEqualTo(State.COMPLETED);
    assertThat(status.rounds().getFirst().pagesSent() + status.rounds().getFirst().skippedPages())
        .isEqualTo(spec.pageCount());
    TestCluster.assertArrived(a, b, vm);
  }

  @Test
  void aMigrationUnderARateLimitCompletes() throws Exception {
    VirtualMachine vm = a.boot(
        TestCluster.spec("hotset", Map.of("rate", "4MB/s", "workingSet", "1MiB", "fill", "random"), 2));

    cluster.move(a, b, vm, new SourceOptions(Duration.ofSeconds(2), 32_000_000, 3, OnStall.ABORT,
        TestCluster.PATIENCE));
  }

  @Test
  void aVmThatComesBackOverThreeHostsHasLostNothing() throws Exception {
    TestHost c = cluster.host("c");
    VirtualMachine vm = a.boot(TestCluster.hotSet());
    TestCluster.awaitSteps(vm, 1000);
    VirtualMachine onB = cluster.move(a, b, vm, TestCluster.options(3));
    TestCluster.awaitSteps(onB, 1000);
    VirtualMachine onC = cluster.move(b, c, onB, TestCluster.options(1));
    VirtualMachine backOnA = cluster.move(c, a, onC, TestCluster.options(2));

    assertThat(a.find(vm.spec().id()).orElseThrow().epoch().value()).isEqualTo(4);
    TestCluster.awaitSteps(backOnA, 1000);
    assertThat(a.verify(backOnA).identical()).isTrue();
    TestCluster.awaitFree(b, TestHost.MEMORY_BYTES);
    TestCluster.awaitFree(c, TestHost.MEMORY_BYTES);
  }

  @Test
  void aCancelledMigrationLeavesTheVmRunningHere() throws Exception {
    VirtualMachine vm = a.boot(
        TestCluster.spec("hotset", Map.of("rate", "40MB/s", "workingSet", "2MiB", "fill", "random"), 2));
    // 16 MiB at 2 MB/s: long enough to be cancelled in round 0.
    TestCluster.Move move = cluster.start(a, b, vm,
        new SourceOptions(Duration.ofMillis(300), 2_000_000, 3, OnStall.ABORT, TestCluster.PATIENCE));
    CountDownLatch copying = new CountDownLatch(1);
    move.migration().follow(status -> {
      if (status.stage() == MigrationStage.PRE_COPY && status.progress().bytesPerSecond() > 0) {
        copying.countDown();
      }
    });
    assertThat(copying.await(TestCluster.PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();

    assertThat(move.migration().cancel()).isTrue();
    SourceStatus status = move.await();

    assertThat(status.state()).isEqualTo(State.CANCELLED);
    assertThat(status.failure().orElseThrow().code()).isEqualTo(FailureCode.CANCELLED);
    assertRunsOnAtSource(vm, move);
    assertThat(move.migration().cancel()).as("cancelling twice changes nothing").isTrue();
    assertThat(cluster.ledger.commitCalls()).isZero();
    cluster.move(a, b, vm, TestCluster.options(3));
  }

  @Test
  void aWriterThatOutrunsTheLinkEndsTheAttemptWithTheFigures() throws Exception {
    VirtualMachine vm = a.boot(TestCluster.spec("uniform", Map.of("rate", "unlimited"), 2));
    TestCluster.awaitSteps(vm, 10_000);
    TestCluster.Move move = cluster.start(a, b, vm,
        new SourceOptions(Duration.ZERO, 0, 2, OnStall.ABORT, TestCluster.PATIENCE));
    SourceStatus status = move.await();

    assertThat(status.state()).isEqualTo(State.ROLLED_BACK);
    assertThat(status.failure().orElseThrow().code()).isEqualTo(FailureCode.STALLED);
    assertThat(status.failure().orElseThrow().message()).contains("round=", "rest=", "limit=");
    assertRunsOnAtSource(vm, move);
  }

  @Test
  void aThrottledWriterThatStillDoesNotFitGivesUpAndRunsAtFullSpeedAgain() throws Exception {
    VirtualMachine vm = a.boot(TestCluster.spec("uniform", Map.of("rate", "unlimited"), 2));
    TestCluster.Move move = cluster.start(a, b, vm,
        new SourceOptions(Duration.ZERO, 0, 2, OnStall.THROTTLE, TestCluster.PATIENCE));
    SourceStatus status = move.await();

    assertThat(status.state()).isEqualTo(State.ROLLED_BACK);
    assertThat(status.failure().orElseThrow().message()).contains("throttle=");
    assertRunsOnAtSource(vm, move);
  }

  @Test
  void aWriterThatOutrunsTheLinkIsMovedAllTheSameWhereTheOperatorSaysSo() throws Exception {
    VirtualMachine vm = a.boot(TestCluster.spec("uniform", Map.of("rate", "unlimited"), 2));

    cluster.move(a, b, vm, new SourceOptions(Duration.ofMillis(50), 0, 2, OnStall.SWITCH, TestCluster.PATIENCE));
  }

  @Test
  void anAttemptThatTakesTooLongRollsBack() throws Exception {
    VirtualMachine vm = a.boot(TestCluster.spec("hotset", Map.of("fill", "random"), 2));
    TestCluster.Move move = cluster.start(a, b, vm,
        new SourceOptions(Duration.ofMillis(300), 2_000_000, 3, OnStall.THROTTLE, Duration.ofMillis(700)));
    SourceStatus status = move.await();

    assertThat(status.state()).isEqualTo(State.ROLLED_BACK);
    assertThat(status.failure().orElseThrow().code()).isEqualTo(FailureCode.TIMED_OUT);
    assertRunsOnAtSource(vm, move);
  }

  private void assertRunsOnAtSource(VirtualMachine vm, TestCluster.Move move) throws Exception {
    assertThat(vm.isPaused()).isFalse();
    TestCluster.awaitSteps(vm, 1000);
    assertThat(a.verify(vm).identical()).isTrue();
    assertThat(move.givenAway()).isEmpty();
    TestCluster.awaitFree(b, TestHost.MEMORY_BYTES);
    assertThat(b.adopted()).isEmpty();
    await().atMost(TestCluster.PATIENCE)
        .until(() -> b.incoming().state(move.id()) == IncomingMigrations.State.DISCARDED);
  }
}
