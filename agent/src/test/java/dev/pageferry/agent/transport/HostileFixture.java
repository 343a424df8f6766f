package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.common.page.PageSize;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A real destination, a hostile source, and the proof that the one outlives the other. */
final class HostileFixture implements AutoCloseable {
  static final int STREAMS = 2;
  static final long PAGES = TestCluster.VM_BYTES / PageSize.BYTES;

  final TestCluster cluster = new TestCluster();
  final TestHost good;
  final TestHost target;
  final VmSpec spec = TestCluster.spec("uniform", Map.of("rate", "1MB/s"), 2);
  final TestCluster.Announced announced;
  private final List<AutoCloseable> peers = new ArrayList<>();

  HostileFixture() throws Exception {
    good = cluster.host("good");
    target = cluster.host("target");
    announced = cluster.announce(good, target, spec, 1);
  }

  RawSource source() throws Exception {
    return keep(new RawSource(target.server().port(), announced, STREAMS));
  }

  RawPeer stranger() throws Exception {
    return keep(RawPeer.connect(target.server().port()));
  }

  <T extends AutoCloseable> T keep(T peer) {
    peers.add(peer);
    return peer;
  }

  IncomingMigrations.State state() {
    return target.incoming().state(announced.id());
  }

  void awaitState(IncomingMigrations.State state) {
    await().atMost(TestCluster.PATIENCE).until(() -> state() == state);
  }

  /** The attempt is over, without a VM and without a byte left behind, and the destination serves the next one. */
  void assertUnharmed() throws Exception {
    TestCluster.awaitFree(target, TestHost.MEMORY_BYTES);
    assertThat(target.adopted()).isEmpty();
    await().atMost(TestCluster.PATIENCE).until(() -> target.server().strangers().count() == 0);
    VirtualMachine vm = good.boot(TestCluster.hotSet());
    TestCluster.Move move = cluster.start(good, target, vm, TestCluster.options(STREAMS));
    await().atMost(TestCluster.PATIENCE).until(
        () -> move.migration().status().blackout().isPresent() || move.migration().status().state().isFinal());
    assertThat(move.migration().status().failure()).isEmpty();
    await().atMost(TestCluster.PATIENCE).until(() -> good.find(vm.spec().id()).isEmpty());
    TestCluster.assertArrived(good, target, vm);
    assertThat(target.adopted()).hasSize(1);
  }

  @Override
  public void close() throws Exception {
    for (AutoCloseable each : peers) {
      each.close();
    }
    cluster.close();
  }
}
