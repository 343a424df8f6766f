package dev.pageferry.coordinator.machines;

import dev.pageferry.common.units.ByteSize;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.VmRecord;

/** The VMs and hosts that requests name: found, and fit for what is asked of them, or refused with the reason. */
public final class Eligibility {
  private final OwnershipLedger ledger;
  private final HostInventory inventory;
  private final MachineStates states;

  public Eligibility(OwnershipLedger ledger, HostInventory inventory, MachineStates states) {
    this.ledger = ledger;
    this.inventory = inventory;
    this.states = states;
  }

  /** @throws RequestException if there is no VM of that name */
  public Row row(String name) throws RequestException {
    return ledger.findByName(name)
        .orElseThrow(() -> new RequestException(Kind.NOT_FOUND, "VM %s does not exist; see 'ferry vm list'", name));
  }

  /** The VM as its row and its host's last heartbeat have it. */
  Vm lastSeen(Row row) {
    return states.vm(row, states.lastReported(row.record()));
  }

  /** @throws RequestException if the host is unknown or not heard */
  Host usableHost(String name) throws RequestException {
    Host host = RequestedHost.find(inventory, name);
    requireUp(host);
    return host;
  }

  /**
   * A host that VMs may come to.
   *
   * @throws RequestException if the host is unknown, not heard, or being emptied
   */
  Host openHost(String name) throws RequestException {
    Host host = usableHost(name);
    requireOpen(host);
    return host;
  }

  /** @throws RequestException if no VM may come to the host, since it is being emptied, or is empty */
  public void requireOpen(Host host) throws RequestException {
    if (inventory.plans().drain(host.id()).isPresent()) {
      throw new RequestException(Kind.REFUSED,
          "host %s is drained, and takes no VMs; name another host, or activate it: 'ferry host activate %s'",
          host.id(),
          host.id());
    }
  }

  /** @throws RequestException if the host is not heard */
  public static void requireUp(Host host) throws RequestException {
    if (!host.isUp()) {
      throw new RequestException(Kind.REFUSED,
          "host %s is DOWN: no heartbeat; see that its agent runs, or name another host", host.id());
    }
  }

  /**
   * The host that has the VM in its memory.
   *
   * @throws RequestException if there is none, or it is not heard
   */
  Host runningHost(Row row) throws RequestException {
    requireInMemory(row, "start it first");
    return usableHost(row.record().getOwnerHost());
  }

  /**
   * Refuses a VM that is in no host's memory, or in that of a host that is not heard.
   *
   * @param advice what to do with one that is down
   */
  public void requireInMemory(Row row, String advice) throws RequestException {
    Vm vm = lastSeen(row);
    switch (vm.getState()) {
      case UNKNOWN -> throw new RequestException(Kind.REFUSED, "VM %s is UNKNOWN: %s; try again when it is back",
          vm.getName(), vm.getReason());
      case STOPPED, FAILED, SAVED -> throw new RequestException(Kind.REFUSED, "VM %s is %s; %s", vm.getName(),
          vm.getState(), advice);
      case STATE_UNSPECIFIED, RUNNING, PAUSED, MIGRATING, UNRECOGNIZED -> {
        // Its host has it.
      }
    }
  }

  /** @param advice what to do where the host has too little memory */
  public static void requireRoom(Host host, VmSpec spec, String advice) throws RequestException {
    if (spec.getMemoryBytes() > host.memoryFreeBytes()) {
      throw new RequestException(Kind.REFUSED, "host %s has %s free for guests, VM %s needs %s; %s", host.id(),
          ByteSize.format(host.memoryFreeBytes()), spec.getName(), ByteSize.format(spec.getMemoryBytes()), advice);
    }
  }

  /** Elsewhere there may be an older copy of the VM's disks or saved state, which looks like them. */
  static void requireItsStorage(Row row, Host host) throws RequestException {
    String storage = row.record().getStorageId();
    boolean needed = row.record().getSpec().getDisksCount() > 0 || row.record().getPhase() == VmRecord.Phase.SAVED;
    if (needed && !storage.isEmpty() && !storage.equals(host.record().getStorageId())) {
      throw new RequestException(Kind.REFUSED,
          "what VM %s has on storage is on %s, and host %s has %s; name a host that reaches it",
          row.record().getSpec().getName(), storage, host.id(),
          host.record().getStorageId().isEmpty() ? "none" : host.record().getStorageId());
    }
  }

  /** @throws RequestException if the host has no storage that others may share */
  public static void requireStorage(Host host, String why) throws RequestException {
    if (host.record().getStorageId().isEmpty()) {
      throw new RequestException(Kind.REFUSED,
          "%s, and host %s has no shared storage; start its agent with --storage, or name another host", why,
          host.id());
    }
  }
}
