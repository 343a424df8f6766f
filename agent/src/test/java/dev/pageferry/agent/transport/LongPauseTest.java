package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.VirtualMachine;
import dev.pageferry.agent.migration.source.SourceOptions;
import dev.pageferry.agent.migration.source.SourceOptions.OnStall;
import dev.pageferry.agent.migration.source.SourceStatus;
import dev.pageferry.agent.migration.source.SourceStatus.State;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Links that stop carrying pages while the guest is paused: it is not paused for longer than it may be, and loses nothing. */
class LongPauseTest {
  private final TestCluster cluster = new TestCluster();
  private TestHost a;
  private TestHost b;
  private Relay relay;

  @BeforeEach
  void start() throws Exception {
    a = cluster.host("a");
    b = cluster.host("b");
    relay = new Relay(b.address());
  }

  @AfterEach
  void close() throws Exception {
    relay.close();
    cluster.close();
  }

  /** The last round is larger than what sockets swallow, or so small that all of it is on its way when the link halts. */
  @ParameterizedTest
  @ValueSource(longs = {8000, 10})
  void aGuestRunsOnHereWhileTheLinkHaltsAndIsMovedWhenItRecovers(long stepsBeforeThePause) throws Exception {
    VirtualMachine vm = a.boot(TestCluster.spec("uniform", Map.of("rate", "40MB/s"), 2));
    TestCluster.awaitSteps(vm, 2000);
    cluster.ledger.atNextPause(() -> {
      relay.hold();
      TestCluster.awaitSteps(vm, stepsBeforeThePause);
    });
    TestCluster.Move move = cluster.start(a, relay.address(), vm,
        new SourceOptions(Duration.ofMillis(300), 0, 1, OnStall.THROTTLE, Duration.ofMinutes(2)),
        cluster.announce(a, b, vm.spec(), 1));
    await().atMost(TestCluster.PATIENCE).pollInterval(Duration.ofMillis(2))
        .until(() -> vm.isPausedFor(PauseReason.MIGRATION));
    assertThat(relay.isHeld()).isTrue();
    await().atMost(TestCluster.PATIENCE).until(() -> !vm.isPausedFor(PauseReason.MIGRATION));
    assertThat(move.migration().status().state()).as("the attempt goes on").isEqualTo(State.RUNNING);
    TestCluster.awaitSteps(vm, 500);
    relay.release();

    SourceStatus status = move.await();
    assertThat(status.state()).as("%s", status.failure()).isEqualTo(State.COMPLETED);
    assertThat(cluster.ledger.commitCalls()).isEqualTo(1);
    TestCluster.assertArrived(a, b, vm);
  }
}
