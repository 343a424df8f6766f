package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.migration.RoundReport;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.SourceOptions;
import dev.pageferry.agent.migration.source.SourceOptions.OnStall;
import dev.pageferry.agent.migration.source.SourceStatus;
import dev.pageferry.agent.migration.source.SourceStatus.State;
import dev.pageferry.agent.ownership.OwnershipClient.Outcome;
import dev.pageferry.common.migration.FailureCode;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the ownership row answers, or fails to answer, and what becomes of the two copies of the VM. */
class OwnershipTest {
  private final TestCluster cluster = new TestCluster();
  private TestHost a;
  private TestHost b;
  private VirtualMachine vm;

  @BeforeEach
  void start() throws Exception {
    a = cluster.host("a");
    b = cluster.host("b");
    vm = a.boot(TestCluster.hotSet());
    TestCluster.awaitSteps(vm, 500);
  }

  @AfterEach
  void close() throws Exception {
    cluster.close();
  }

  @Test
  void anAbortedMigrationLetsTheSourceGoOnWithTheSameRegisters() throws Exception {
    TestCluster.Move[] move = new TestCluster.Move[1];
    cluster.ledger.nextCommit((id, migration) -> {
      assertThat(vm.isPausedFor(PauseReason.MIGRATION)).isTrue();
      return cluster.ledger.decide(migration, Outcome.ABORTED);
    });
    move[0] = cluster.start(a, b, vm, TestCluster.options(3));
    SourceStatus status = move[0].await();

    assertThat(status.state()).isEqualTo(State.ROLLED_BACK);
    assertThat(status.failure().orElseThrow().code()).isEqualTo(FailureCode.ABORTED);
    assertGoesOnAtSource(move[0]);
    assertThat(cluster.ledger.resolveCalls()).as("the destination was READY, so it asks").isEqualTo(1);
  }

  @Test
  void aSourceThatGetsNoAnswerStaysPausedAndAsksUntilItDoes() throws Exception {
    AtomicInteger running = new AtomicInteger();
    for (int i = 0; i < 4; i++) {
      cluster.ledger.nextCommit((id, migration) -> {
        running.addAndGet(vm.isPausedFor(PauseReason.MIGRATION) ? 0 : 1);
        throw FakeLedger.unreachable();
      });
    }
    TestCluster.Move move = cluster.start(a, b, vm, TestCluster.options(3));
    SourceStatus status = move.await();

    assertThat(status.state()).as("%s", status.failure()).isEqualTo(State.COMPLETED);
    assertThat(cluster.ledger.commitCalls()).isEqualTo(5);
    assertThat(running.get()).as("calls while the VM ran").isZero();
    TestCluster.assertArrived(a, b, vm);
  }

  @Test
  void aCommitWhoseAnswerWasLostIsFoundByAskingAgain() throws Exception {
    cluster.ledger.nextCommit((id, migration) -> {
      cluster.ledger.decide(migration, Outcome.COMMITTED);
      throw FakeLedger.unreachable();
    });

    cluster.move(a, b, vm, TestCluster.options(2));

    assertThat(cluster.ledger.commitCalls()).isEqualTo(2);
  }

  @Test
  void aCallThatFailsUnexpectedlyNeverLetsTheSourceResumeBesideTheDestination() throws Exception {
    cluster.ledger.nextCommit((id, migration) -> {
      cluster.ledger.decide(migration, Outcome.COMMITTED);
      throw new IllegalStateException("a client with a bug, by the test");
    });
    TestCluster.Move move = cluster.start(a, b, vm, TestCluster.options(2));
    SourceStatus status = move.await();

    assertThat(vm.isPausedFor(PauseReason.MIGRATION)).as("the row says that the VM is the destination's").isTrue();
    assertThat(status.state()).as("%s", status.failure()).isEqualTo(State.COMPLETED);
    TestCluster.assertArrived(a, b, vm);
  }

  @Test
  void nobodyCanCancelOnceCommitHasBeenAsked() throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch answer = new CountDownLatch(1);
    cluster.ledger.nextCommit((id, migration) -> {
      asked.countDown();
      awaitLatch(answer);
      return cluster.ledger.decide(migration, Outcome.COMMITTED);
    });
    TestCluster.Move move = cluster.start(a, b, vm, TestCluster.options(2));
    awaitLatch(asked);

    assertThat(move.migration().cancel()).isFalse();
    answer.countDown();

    assertThat(move.await().state()).isEqualTo(State.COMPLETED);
    TestCluster.assertArrived(a, b, vm);
  }

  @Test
  void aSourceIsInDoubtWhileNobodyAnswers() throws Exception {
    CountDownLatch answer = new CountDownLatch(1);
    cluster.ledger.nextCommit((id, migration) -> {
      throw FakeLedger.unreachable();
    });
    cluster.ledger.nextCommit((id, migration) -> {
      awaitLatch(answer);
      return cluster.ledger.decide(migration, Outcome.COMMITTED);
    });
    TestCluster.Move move = cluster.start(a, b, vm, TestCluster.options(2));
    await().atMost(TestCluster.PATIENCE).until(() -> move.migration().status().state() == State.IN_DOUBT);

    assertThat(vm.isPausedFor(PauseReason.MIGRATION)).isTrue();
    assertThat(b.adopted()).isEmpty();
    answer.countDown();
    assertThat(move.await().state()).isEqualTo(State.COMPLETED);
  }

  @Test
  void recordsThatKnowNothingOfTheVmDestroyNothingAndLetNothingRun() throws Exception {
    cluster.ledger.nextCommit((id, migration) -> {
      cluster.ledger.hide(migration);
      throw FakeLedger.unreachable();
    });
    TestCluster.Move move = cluster.start(a, b, vm, TestCluster.options(2));
    await().atMost(TestCluster.PATIENCE).until(() -> cluster.ledger.unknownAnswers() >= 5);

    assertThat(vm.isPausedFor(PauseReason.MIGRATION)).isTrue();
    assertThat(move.givenAway()).isEmpty();
    assertThat(b.adopted()).isEmpty();
    assertThat(b.incoming().state(move.id())).isEqualTo(IncomingMigrations.State.READY);
    assertThat(move.migration().status().state()).isEqualTo(State.IN_DOUBT);

    cluster.ledger.show(move.id());
    assertThat(move.await().state()).isEqualTo(State.COMPLETED);
    TestCluster.assertArrived(a, b, vm);
  }

  @Test
  void aCoordinatorThatIsSilentBeforeThePausePutsTheSwitchoverOff() throws Exception {
    AtomicBoolean silent = new AtomicBoolean(true);
    cluster.ledger.answerProbesWhen(() -> !silent.get());
    TestCluster.Move move = cluster.start(a, b, vm, TestCluster.options(2));
    // The first switchover cannot come about: the guest runs on, and nobody is asked for a commit.
    TestCluster.awaitSteps(vm, 2000);
    assertThat(cluster.ledger.commitCalls()).isZero();
    assertThat(vm.isPausedFor(PauseReason.MIGRATION)).isFalse();
    silent.set(false);

    assertThat(move.await().state()).isEqualTo(State.COMPLETED);
    assertThat(cluster.ledger.commitCalls()).isEqualTo(1);
    TestCluster.assertArrived(a, b, vm);
  }

  @Test
  void aCoordinatorThatFallsSilentInThePauseSendsTheVmBackToPreCopy() throws Exception {
    cluster.ledger.silentAtNextPause();
    SourceStatus status = cluster.start(a, b, vm, TestCluster.options(3)).await();

    assertThat(cluster.ledger.wasSilentAtPause()).isTrue();
    long pagesAfter = status.rounds().stream().dropWhile(round -> round.dirtyPagesAfter() > 0).skip(1)
        .mapToLong(RoundReport::pagesSent).sum();
    assertThat(pagesAfter).as("pages of rounds in which the guest ran again, after one that left nothing").isPositive();
    assertThat(status.state()).as("%s", status.failure()).isEqualTo(State.COMPLETED);
    assertThat(cluster.ledger.commitCalls()).isEqualTo(1);
    TestCluster.assertArrived(a, b, vm);
  }

  @Test
  void anAttemptEndsInTimeWhereTheCoordinatorStaysSilent() throws Exception {
    cluster.ledger.nextProbes(false, false, false, false, false, false, false, false);
    TestCluster.Move move = cluster.start(a, b, vm,
        new SourceOptions(Duration.ofMillis(300), 0, 2, OnStall.ABORT, Duration.ofMillis(1500)));
    SourceStatus status = move.await();

    assertThat(status.state()).isEqualTo(State.ROLLED_BACK);
    assertThat(status.failure().orElseThrow().code()).isEqualTo(FailureCode.TIMED_OUT);
    cluster.ledger.clearScripts();
    assertGoesOnAtSource(move);
  }

  private void assertGoesOnAtSource(TestCluster.Move move) throws Exception {
    assertThat(vm.isPaused()).isFalse();
    TestCluster.awaitSteps(vm, 500);
    assertThat(a.verify(vm).identical()).isTrue();
    assertThat(move.givenAway()).isEmpty();
    TestCluster.awaitFree(b, TestHost.MEMORY_BYTES);
    assertThat(b.adopted()).isEmpty();
    assertThat(b.incoming().state(move.id())).isEqualTo(IncomingMigrations.State.DISCARDED);
    cluster.move(a, b, vm, TestCluster.options(2));
  }

  private static void awaitLatch(CountDownLatch latch) {
    try {
      assertThat(latch.await(TestCluster.PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
