package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.disk.TestDevices.HungFlush;
import dev.pageferry.agent.disk.TestStorage;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.migration.source.SourceOptions;
import dev.pageferry.agent.migration.source.SourceOptions.OnStall;
import dev.pageferry.agent.migration.source.SourceStatus;
import dev.pageferry.agent.migration.source.SourceStatus.State;
import dev.pageferry.common.migration.FailureCode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Links and disks that hang while the guest is paused: it is not paused for longer than it may be, and loses nothing. */
class LongPauseTest {
  @TempDir
  Path root;
  private final TestCluster cluster = new TestCluster();
  private TestStorage storage;
  private TestHost a;
  private TestHost b;
  private Relay relay;

  @BeforeEach
  void start() throws Exception {
    storage = new TestStorage(root);
    a = cluster.host("a", storage.host("a"));
    b = cluster.host("b", storage.host("b"));
    relay = new Relay(b.address());
  }

  @AfterEach
  void close() throws Exception {
    relay.close();
    cluster.close();
    storage.close();
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
    TestCluster.Move move = start(vm);
    awaitPause(vm);
    assertThat(relay.isHeld()).isTrue();
    awaitTooLong(vm, move);
    relay.release();
    assertMoved(vm, move);
  }

  @Test
  void aGuestRunsOnHereWhileItsDiskHangsAndIsMovedWhenTheDiskAnswers() throws Exception {
    VirtualMachine vm = bootWithDisk();
    AtomicReference<HungFlush> hung = new AtomicReference<>();
    cluster.ledger.atNextPause(() -> hung.set(storage.hangFlush("data")));
    TestCluster.Move move = start(vm);
    awaitPause(vm);
    hung.get().awaitBegun();
    awaitTooLong(vm, move);
    hung.get().end();
    assertMoved(vm, move);
  }

  @Test
  void aLostWriteThatIsReportedWhenTheGuestRunsAgainEndsTheMove() throws Exception {
    VirtualMachine vm = bootWithDisk();
    AtomicReference<HungFlush> hung = new AtomicReference<>();
    cluster.ledger.atNextPause(() -> hung.set(storage.hangFlush("data")));
    TestCluster.Move move = start(vm);
    awaitPause(vm);
    awaitTooLong(vm, move);
    storage.failNextFlush("data");
    hung.get().end();

    SourceStatus status = move.await();
    assertThat(status.state()).isEqualTo(State.ROLLED_BACK);
    assertThat(status.failure().orElseThrow().code()).isEqualTo(FailureCode.DISKS_UNAVAILABLE);
    assertThat(status.failure().orElseThrow().message()).contains("lost writes of data.raw");
    assertThat(cluster.ledger.commitCalls()).isZero();
    TestCluster.awaitSteps(vm, 500);
  }

  private VirtualMachine bootWithDisk() throws Exception {
    DiskDescription disk = storage.createDisk("data", 1 << 20);
    VirtualMachine vm = a.boot(TestCluster.spec("uniform", Map.of("rate", "40MB/s"), 2, List.of(disk)));
    TestCluster.awaitSteps(vm, 2000);
    return vm;
  }

  private TestCluster.Move start(VirtualMachine vm) throws Exception {
    return cluster.start(a, relay.address(), vm,
        new SourceOptions(Duration.ofMillis(300), 0, 1, OnStall.THROTTLE, Duration.ofMinutes(2)),
        cluster.announce(a, b, vm.spec(), 1));
  }

  private static void awaitPause(VirtualMachine vm) {
    await().atMost(TestCluster.PATIENCE).pollInterval(Duration.ofMillis(2))
        .until(() -> vm.isPausedFor(PauseReason.MIGRATION));
  }

  private static void awaitTooLong(VirtualMachine vm, TestCluster.Move move) {
    await().atMost(TestCluster.PATIENCE).until(() -> !vm.isPausedFor(PauseReason.MIGRATION));
    assertThat(move.migration().status().state()).as("the attempt goes on").isEqualTo(State.RUNNING);
    TestCluster.awaitSteps(vm, 500);
  }

  private void assertMoved(VirtualMachine vm, TestCluster.Move move) throws Exception {
    SourceStatus status = move.await();
    assertThat(status.state()).as("%s", status.failure()).isEqualTo(State.COMPLETED);
    assertThat(cluster.ledger.commitCalls()).isEqualTo(1);
    TestCluster.assertArrived(a, b, vm);
  }
}
