package dev.pageferry.coordinator.machines;

import dev.pageferry.common.page.PageSize;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.agent.v1.VerifyVmResult;
import dev.pageferry.proto.cluster.v1.ConsoleOutput;
import dev.pageferry.proto.cluster.v1.UseConsoleRequest;
import dev.pageferry.proto.cluster.v1.VerifyVmUpdate;
import dev.pageferry.proto.cluster.v1.VmDigest;
import dev.pageferry.proto.cluster.v1.VmVerification;
import java.util.function.Consumer;

/** What a VM's host says of what the VM holds. */
final class MachineContents {
  private static final long LONGEST_WAIT_MILLIS = 30_000;

  private final AgentClient agents;

  MachineContents(AgentClient agents) {
    this.agents = agents;
  }

  ConsoleOutput useConsole(Row row, Host host, UseConsoleRequest request) throws RequestException {
    var asked = dev.pageferry.proto.agent.v1.UseConsoleRequest.newBuilder().setId(row.id().value())
        .setTyped(request.getTyped()).setWaitMillis(Math.clamp(request.getWaitMillis(), 0, LONGEST_WAIT_MILLIS));
    if (request.hasOffset()) {
      asked.setOffset(request.getOffset());
    }
    var output = AgentQuestions.ask(host, () -> agents.useConsole(host.record().getAddress(), asked.build()));
    return ConsoleOutput.newBuilder().setOffset(output.getOffset()).setData(output.getData()).build();
  }

  VmDigest digest(Row row, Host host) throws RequestException {
    String name = row.record().getSpec().getName();
    var digest = AgentQuestions.ask(host, () -> agents.digestVm(host.record().getAddress(), row.id().value()));
    return VmDigest.newBuilder().setName(name).setHost(host.id().value()).setSteps(digest.getSteps())
        .setMemoryDigest(digest.getMemoryDigest()).setRegistersDigest(digest.getRegistersDigest()).build();
  }

  /** Has the VM compared with its replayed twin. */
  void verify(Row row, Host host, Consumer<VerifyVmUpdate> updates) throws RequestException {
    AgentQuestions.ask(host, () -> {
      agents.verifyVm(host.record().getAddress(), row.id().value(), update -> {
        VerifyVmUpdate.Builder message = VerifyVmUpdate.newBuilder().setReplayedSteps(update.getReplayedSteps())
            .setTotalSteps(update.getTotalSteps());
        if (update.hasResult()) {
          message.setResult(verification(row, host, update.getResult()));
        }
        updates.accept(message.build());
      });
      return true;
    });
  }

  private static VmVerification verification(Row row, Host host, VerifyVmResult told) {
    VmVerification.Builder result = VmVerification.newBuilder().setName(row.record().getSpec().getName())
        .setHost(host.id().value()).setSteps(told.getSteps()).setIdentical(told.getIdentical());
    if (told.hasNetworkPages()) {
      result.setNetworkPages(told.getNetworkPages());
    }
    // An agent calls registers the page after the last.
    long pages = PageSize.pagesFor(row.record().getSpec().getMemoryBytes());
    if (told.hasFirstDifference() && told.getFirstDifference() < pages) {
      result.setFirstDifference(told.getFirstDifference());
    }
    return result.build();
  }
}
