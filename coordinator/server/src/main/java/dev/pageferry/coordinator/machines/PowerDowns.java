package dev.pageferry.coordinator.machines;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Guests that switch themselves off, because they are asked to or of their own accord. */
final class PowerDowns {
  private static final Logger log = LoggerFactory.getLogger(PowerDowns.class);
  /** A guest writes back what it holds and ends its services in that time, or is not going to. */
  private static final Duration LONGEST = Duration.ofSeconds(60);
  /** Heartbeats tell it no faster. */
  private static final Duration LOOK = Duration.ofMillis(500);

  private final OwnershipLedger ledger;
  private final HostInventory inventory;
  private final MachineStates states;
  private final Eligibility eligibility;
  private final AgentClient agents;
  private final Scheduler scheduler;

  PowerDowns(OwnershipLedger ledger, HostInventory inventory, MachineStates states, Eligibility eligibility,
      AgentClient agents,
      Scheduler scheduler) {
    this.ledger = ledger;
    this.inventory = inventory;
    this.states = states;
    this.eligibility = eligibility;
    this.agents = agents;
    this.scheduler = scheduler;
  }

  /**
   * Has the guest switch itself off, where it has a button for that and runs.
   *
   * @throws RequestException if it is not off in the end
   */
  void powerDown(Row row) throws RequestException {
    String name = row.record().getSpec().getName();
    Vm.State state = eligibility.lastSeen(row).getState();
    if (!row.record().getSpec().hasQemu() || state == Vm.State.STOPPED || state == Vm.State.SAVED
        || state == Vm.State.FAILED || row.record().hasPending()) {
      // Nobody to ask; or it is being moved or saved, and the stop will be refused for that.
      return;
    }
    Host host = eligibility.runningHost(row);
    VmStatus.State end = AgentQuestions.change(host,
        () -> agents.powerDownVm(host.record().getAddress(), row.id().value(), LONGEST)).getState();
    if (end != VmStatus.State.POWERED_OFF && end != VmStatus.State.FAILED) {
      throw new RequestException(Kind.FAILED,
          "the guest of VM %s did not switch itself off within %d s; try again, or stop it with --force", name,
          LONGEST.toSeconds());
    }
  }

  /** Ends what is left of a guest that is off. */
  interface End {
    void end(Row row) throws RequestException, ConflictException;
  }

  /** Looks for such guests until it is interrupted. */
  void follow(End end) throws InterruptedException {
    while (true) {
      scheduler.sleep(LOOK);
      for (VmId each : inventory.reported(VmStatus.State.POWERED_OFF)) {
        stop(each, end);
      }
    }
  }

  private void stop(VmId vm, End end) {
    try {
      Optional<Row> row = ledger.find(vm).filter(this::isPoweredOff);
      if (row.isPresent()) {
        end.end(row.get());
      }
    } catch (RequestException | ConflictException | RuntimeException e) {
      // Looked at again soon.
      log.debug("vm={} is off and not stopped: {}", vm, e.toString());
    }
  }

  /** Whether its host says so under the present epoch, and nobody does anything else with it. */
  boolean isPoweredOff(Row row) {
    return row.record().getPhase() == VmRecord.Phase.ACTIVE && !row.record().hasPending()
        && states.lastReported(row.record()).filter(each -> each.getState() == VmStatus.State.POWERED_OFF).isPresent();
  }
}
