package dev.pageferry.coordinator.machines;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.Vm;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The list of all VMs. */
class MachineListTest {
  @Test
  void itAsksNoHostAndShowsWhatOneHasJustAnswered(@TempDir Path directory) throws RequestException, IOException {
    try (FakeSite site = new FakeSite(directory)) {
      site.register("a");
      site.createVm("db", "a");
      site.heartbeat("a");
      VmStatus running = site.agent("a").vms().iterator().next();
      String address = site.inventory().find(new HostId("a")).orElseThrow().record().getAddress();
      assertThat(site.machines().list()).extracting(Vm::getState).containsExactly(Vm.State.RUNNING);

      site.inventory().noteAnswer(address, running.toBuilder().setState(VmStatus.State.PAUSED).build());
      assertThat(site.machines().list()).extracting(Vm::getState).containsExactly(Vm.State.PAUSED);
      assertThat(site.agent("a").count("getVm")).isZero();
    }
  }
}
