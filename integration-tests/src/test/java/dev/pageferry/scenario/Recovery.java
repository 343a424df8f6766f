package dev.pageferry.scenario;

import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.TestCluster;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.Set;
import org.awaitility.Awaitility;

/** Waits for what a cluster makes of a VM by itself, after something was killed. */
final class Recovery {
  private static final Duration SETTLING = Duration.ofSeconds(90);

  private Recovery() {
  }

  /** What the VM is once nothing moves it any more. */
  static Vm.State settled(TestCluster cluster) {
    return settled(cluster, "db");
  }

  /** As {@link #settled(TestCluster)}, of a VM by its name. */
  static Vm.State settled(TestCluster cluster, String name) {
    Set<Vm.State> lasting = Set.of(Vm.State.RUNNING, Vm.State.SAVED, Vm.State.FAILED);
    int[] times = {0};
    return Awaitility.await("the VM settles").atMost(SETTLING).pollInterval(Duration.ofMillis(200))
        .ignoreException(StatusRuntimeException.class).until(() -> cluster.vm(name).getState(), state -> {
          times[0] = lasting.contains(state) ? times[0] + 1 : 0;
          // A host that has just come back may be taken for the one before.
          return times[0] >= 5;
        });
  }

  /** Starts the VM where it does not run. */
  static Vm running(TestCluster cluster, Vm.State state, String elsewhere) {
    return running(cluster, "db", state, elsewhere);
  }

  /** As {@link #running(TestCluster, Vm.State, String)}, of a VM by its name. */
  static Vm running(TestCluster cluster, String name, Vm.State state, String elsewhere) {
    if (state != Vm.State.RUNNING) {
      Awaitility.await("the VM can be started").atMost(SETTLING).ignoreException(StatusRuntimeException.class)
          .until(() -> cluster.startVm(name, state == Vm.State.SAVED ? elsewhere : ""), vm -> true);
    }
    return Awaitility.await("the VM runs").atMost(SETTLING).ignoreException(StatusRuntimeException.class)
        .until(() -> cluster.vm(name), vm -> vm.getState() == Vm.State.RUNNING);
  }
}
