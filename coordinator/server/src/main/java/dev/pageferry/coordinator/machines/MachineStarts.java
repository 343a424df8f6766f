package dev.pageferry.coordinator.machines;

import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.disks.Disks;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.LiveHosts;
import dev.pageferry.coordinator.ownership.OwnershipEvent;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Decision;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Outcome;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.agent.v1.CreateVmRequest;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Booting: a VM comes to be on a host, from its first step on. Nobody else changes the VM meanwhile ({@link BusyVms}). */
final class MachineStarts {
  private static final Logger log = LoggerFactory.getLogger(MachineStarts.class);

  private final OwnershipLedger ledger;
  private final AgentClient agents;
  private final MachineStates states;
  private final Eligibility eligibility;
  private final Whereabouts whereabouts;

  MachineStarts(OwnershipLedger ledger, AgentClient agents, MachineStates states, Eligibility eligibility,
      Whereabouts whereabouts) {
    this.ledger = ledger;
    this.agents = agents;
    this.states = states;
    this.eligibility = eligibility;
    this.whereabouts = whereabouts;
  }

  /** @param paused whether the VM waits for an operator before its first step */
  record Manner(boolean paused, boolean forceDisks) {
  }

  /**
   * Boots a VM that is stopped, or whose host lost it.
   *
   * @param onHost where to; empty: where it was
   */
  Vm start(Row row, String onHost, Manner manner) throws RequestException, ConflictException {
    Host host = startable(row, onHost);
    // Refused where the host that had it is merely silent: it may run it still.
    whereabouts.destroy(row);
    Row next = ledger.change(row.id(),
        new OwnershipEvent.Boot(host.id(), host.incarnation(), storageOf(host, row.record().getSpec()),
            new OwnershipEpoch(row.record().getEpoch()), row.record().getPhase() == VmRecord.Phase.ACTIVE));
    return build(next, host, manner);
  }

  /**
   * Boots a VM whose host can have no effects on it any more.
   *
   * @param row by which that was found
   * @param heard whether a host is heard again: then it keeps what it has
   */
  Vm restart(Row row, String onHost, LiveHosts heard) throws RequestException, ConflictException {
    Host host = eligibility.openHost(onHost);
    Eligibility.requireItsStorage(row, host);
    Row next = ledger.change(row.id(),
        new OwnershipEvent.Restart(host.id(), host.incarnation(), storageOf(host, row.record().getSpec()),
            new OwnershipEpoch(row.record().getEpoch()), row.record().getPhase() == VmRecord.Phase.ACTIVE),
        heard);
    return build(next, host, new Manner(false, false));
  }

  private Vm build(Row next, Host host, Manner manner) throws RequestException, ConflictException {
    try {
      whereabouts.destroyIfThere(host, next.id(), next.record().getEpoch() - 1);
      return boot(next.record().getSpec(), host, new OwnershipEpoch(next.record().getEpoch()), manner);
    } catch (RequestException e) {
      requireUnbuilt(next, host, e);
      throw e;
    }
  }

  /** Has a host build the VM, whose row says already that it is to. */
  Vm boot(VmSpec spec, Host host, OwnershipEpoch epoch, Manner manner) throws RequestException, ConflictException {
    VmId id = new VmId(spec.getId());
    VmStatus status = AgentQuestions.ask(host, () -> agents.createVm(host.record().getAddress(),
        CreateVmRequest.newBuilder().setSpec(spec).setEpoch(epoch.value()).setPaused(manner.paused())
            .setForceDisks(manner.forceDisks()).build()));
    // What the agent asked itself before the first step; for agents of the version before, which do not ask.
    Decision started = ledger.started(id, new OwnershipEvent.Started(host.id(), host.incarnation(), epoch));
    if (started.outcome() != Outcome.COMMITTED) {
      throw new RequestException(Kind.FAILED, "VM %s was stopped or deleted while it was being created",
          spec.getName());
    }
    Row row = ledger.notes().describe(id, known -> Disks.withDevices(status.getSpec(), known));
    log.info("vm={} id={} host={} epoch={} booted", spec.getName(), id, host.id(), epoch);
    return states.vm(row, Optional.of(status));
  }

  /**
   * Sees to it that a VM which could not be built is stopped, unless it did its first step all the same: then it may have been
   * moved since, and is not to be touched.
   *
   * @throws RequestException if it did
   */
  void requireUnbuilt(Row building, Host host, RequestException cause) throws RequestException {
    VmRecord record = building.record();
    try {
      ledger.change(building.id(), new OwnershipEvent.NotBuilt(new OwnershipEpoch(record.getEpoch())));
    } catch (ConflictException e) {
      boolean isActive = ledger.find(building.id()).filter(it -> it.record().getPhase() == VmRecord.Phase.ACTIVE)
          .isPresent();
      throw isActive
          ? new RequestException(Kind.IN_DOUBT, "VM %s was started, and host %s did not say to the end how: %s",
              record.getSpec().getName(), host.id(), cause.getMessage())
          : cause;
    }
  }

  /** What the VM is or was on, where it has disks. */
  static String storageOf(Host host, VmSpec spec) {
    return spec.getDisksCount() > 0 ? host.record().getStorageId() : "";
  }

  /** @return where to boot the VM */
  private Host startable(Row row, String onHost) throws RequestException {
    // An answer may be newer than the last heartbeat. Where it is its present host that is asked to boot it, that is asked again.
    Vm vm = states.vm(row, states.lastTold(row.record()));
    if (vm.getState() == Vm.State.UNKNOWN) {
      throw new RequestException(Kind.REFUSED,
          "VM %s is UNKNOWN and may still run on host %s: %s; try again once its agent is heard, or, if the host is off, 'ferry host confirm-dead %s'",
          vm.getName(), vm.getHost(), vm.getReason(), vm.getHost());
    }
    if (vm.getState() != Vm.State.STOPPED && vm.getState() != Vm.State.FAILED) {
      throw new RequestException(Kind.REFUSED, "VM %s is %s; only a stopped or failed VM can be started", vm.getName(),
          vm.getState());
    }
    boolean isElsewhere = !onHost.isEmpty() && !onHost.equals(vm.getHost());
    if (isElsewhere && vm.getState() == Vm.State.FAILED && whereabouts.of(row).isPresent()) {
      throw new RequestException(Kind.REFUSED,
          "VM %s is FAILED and may still run on host %s; only a stopped or saved VM can be started elsewhere",
          vm.getName(), vm.getHost());
    }
    Host host = eligibility.openHost(onHost.isEmpty() ? vm.getHost() : onHost);
    boolean sameIncarnation = host.incarnation().value().equals(row.record().getOwnerIncarnation());
    if (row.record().getPhase() == VmRecord.Phase.ACTIVE && sameIncarnation) {
      requireAbsent(row, host);
    }
    Eligibility.requireItsStorage(row, host);
    return host;
  }

  /** Heartbeats did not name it, or said that it is over. That may have changed since, so it is asked for by name. */
  private void requireAbsent(Row row, Host host) throws RequestException {
    if (mayRun(row.id(), host)) {
      throw new RequestException(Kind.REFUSED, "VM %s is on host %s after all; try again",
          row.record().getSpec().getName(), host.id());
    }
  }

  private boolean mayRun(VmId vm, Host host) throws RequestException {
    try {
      VmStatus.State state = agents.getVm(host.record().getAddress(), vm.value()).getState();
      return state != VmStatus.State.POWERED_OFF && state != VmStatus.State.FAILED;
    } catch (AgentException e) {
      if (e.kind() == AgentException.Kind.NOT_FOUND) {
        return false;
      }
      throw AgentQuestions.translated(host, e);
    }
  }
}
