package dev.pageferry.coordinator.machines;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.Optional;

/** Where VMs are, and how copies of them are destroyed there. */
final class Whereabouts {
  private final HostInventory inventory;
  private final AgentClient agents;

  Whereabouts(HostInventory inventory, AgentClient agents) {
    this.inventory = inventory;
    this.agents = agents;
  }

  /**
   * The host that may have the VM; none if it died with its host. Asked before the row changes, too: a refusal must not
   * leave a row that has the VM destroyed as soon as its host is heard of again.
   */
  Optional<Host> of(Row row) throws RequestException {
    Optional<Host> host = inventory.find(new HostId(row.record().getOwnerHost()));
    boolean dead = host.isEmpty() || isOnDeadHost(row.record())
        || !host.get().incarnation().equals(new Incarnation(row.record().getOwnerIncarnation()));
    if (dead) {
      return Optional.empty();
    }
    if (!host.get().isUp()) {
      throw new RequestException(Kind.REFUSED,
          "host %s does not answer, and VM %s may still run there; try again when it is back, or, if it is off, 'ferry host confirm-dead %s'",
          host.get().id(), row.record().getSpec().getName(), host.get().id());
    }
    return host;
  }

  /** A host that was called dead by an operator: what it had is down. */
  private boolean isOnDeadHost(VmRecord record) {
    return inventory.find(new HostId(record.getOwnerHost()))
        .filter(host -> host.isConfirmedDead() && host.incarnation().value().equals(record.getOwnerIncarnation()))
        .isPresent();
  }

  /** Destroys the copy of the row's epoch, or an earlier one, on the host that may have it. */
  void destroy(Row row) throws RequestException {
    Optional<Host> host = of(row);
    if (host.isPresent()) {
      destroyIfThere(host.get(), row.id(), row.record().getEpoch());
    }
  }

  /** Destroys a copy of that epoch, or an earlier one, on a host that may have it. */
  void destroyIfThere(Host host, VmId id, long epoch) throws RequestException {
    try {
      agents.destroyVm(host.record().getAddress(), id.value(), Math.max(1, epoch));
    } catch (AgentException e) {
      if (e.kind() != AgentException.Kind.NOT_FOUND) {
        throw AgentQuestions.translated(host, e);
      }
    }
  }
}
