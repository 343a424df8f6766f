package dev.pageferry.coordinator.rpc;

import com.google.protobuf.Timestamp;
import dev.pageferry.coordinator.fencing.Fences;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.InDoubt;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.MovePlan;

/** Hosts as operators see them. */
final class HostMessages {
  private final HostInventory inventory;
  private final Fences fences;

  HostMessages(HostInventory inventory, Fences fences) {
    this.inventory = inventory;
    this.fences = fences;
  }

  Host of(HostInventory.Host host) {
    Host.Builder message = Host.newBuilder().setId(host.id().value())
        .setState(state(host))
        .setAddress(host.record().getAddress()).setMigrationAddress(host.record().getMigrationAddress())
        .setMemoryBytes(host.record().getMemoryBytes()).setMemoryFreeBytes(host.memoryFreeBytes())
        .setVms(host.vms().size()).setVersion(host.record().getVersion())
        .addAllInDoubt(host.doubts().stream().map(InDoubt::toString).toList());
    if (!host.record().getVxlanAddress().isEmpty()) {
      message.setVxlanAddress(host.record().getVxlanAddress());
    }
    if (!host.record().getStorageId().isEmpty()) {
      message.setStorageId(host.record().getStorageId());
    }
    inventory.stops().quarantinedUntil(host.id()).ifPresent(
        each -> message.setQuarantinedUntil(Timestamp.newBuilder().setSeconds(each.getEpochSecond())));
    message.addAllFenceDevices(fences.devices(host.id()));
    fences.last(host.id()).ifPresent(message::setFence);
    return message.build();
  }

  private Host.State state(HostInventory.Host host) {
    if (!host.isUp()) {
      return Host.State.DOWN;
    }
    return inventory.plans().drain(host.id()).map(each -> each.getState() == MovePlan.State.COMPLETED
        ? Host.State.MAINTENANCE
        : Host.State.DRAINING).orElse(Host.State.UP);
  }
}
