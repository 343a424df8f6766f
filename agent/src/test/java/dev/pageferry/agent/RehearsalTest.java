package dev.pageferry.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.agent.transport.CongestionControl;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class RehearsalTest {
  /** Notes which of its questions named a VM. */
  private static final class Coordinator implements OwnershipClient {
    private final List<String> named = new CopyOnWriteArrayList<>();
    private final AtomicInteger probes = new AtomicInteger();

    private Decision asked(VmId vm) {
      named.add(vm.value());
      return new Decision(Outcome.UNKNOWN, "", 0);
    }

    @Override
    public Decision commit(VmId vm, MigrationId migration) {
      return asked(vm);
    }

    @Override
    public Decision resolve(VmId vm, MigrationId migration) {
      return asked(vm);
    }

    @Override
    public Decision noteSaved(VmId vm, MigrationId migration) {
      return asked(vm);
    }

    @Override
    public Decision giveBack(VmId vm, MigrationId migration) {
      return asked(vm);
    }

    @Override
    public Decision started(VmId vm, OwnershipEpoch epoch) {
      return asked(vm);
    }

    @Override
    public Promise<Duration> probe(Duration atMost) {
      probes.incrementAndGet();
      Promise<Duration> answer = Scheduler.SYSTEM.newPromise();
      answer.complete(Duration.ZERO);
      return answer;
    }
  }

  @Test
  void aRehearsalAsksTheCoordinatorForNoVmThatDoesNotExist() {
    Coordinator coordinator = new Coordinator();
    AtomicInteger looks = new AtomicInteger();
    // Asked before each move: the second time, one is over.
    Rehearsal.start(coordinator, new CongestionControl(CongestionControl.DEFAULT), () -> looks.getAndIncrement() < 1);
    await().atMost(Duration.ofSeconds(40)).until(() -> looks.get() > 1);
    assertThat(coordinator.named).isEmpty();
    assertThat(coordinator.probes.get()).isPositive();
  }
}
