package dev.pageferry.agent.guest;

import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** The VMs that this host has, each with the epoch under which it has it. */
public final class HostedGuests {
  /** A VM on this host. */
  public record Hosted(VirtualMachine vm, OwnershipEpoch epoch) {
  }

  private final ConcurrentMap<VmId, Hosted> guests = new ConcurrentHashMap<>();

  /**
   * Takes a VM in.
   *
   * @throws IllegalStateException if there is one of that id already; its owner must be asked first
   */
  public void adopt(VirtualMachine vm, OwnershipEpoch epoch) {
    if (guests.putIfAbsent(vm.spec().id(), new Hosted(vm, epoch)) != null) {
      throw new IllegalStateException("VM %s is on this host already".formatted(vm.spec().name()));
    }
  }

  public Optional<Hosted> find(VmId id) {
    return Optional.ofNullable(guests.get(id));
  }

  public List<Hosted> list() {
    return List.copyOf(guests.values());
  }

  /** Destroys a VM that this host has under the epoch or an older one; true if there was one. */
  public boolean destroy(VmId id, OwnershipEpoch epoch) {
    Hosted hosted = guests.get(id);
    if (hosted == null || hosted.epoch().compareTo(epoch) > 0 || !guests.remove(id, hosted)) {
      return false;
    }
    hosted.vm().close();
    return true;
  }

  /** Destroys all VMs. */
  public void close() {
    for (Hosted each : list()) {
      destroy(each.vm().spec().id(), each.epoch());
    }
  }
}
