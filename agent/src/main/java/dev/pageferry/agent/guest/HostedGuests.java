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
  public record Hosted(IncomingGuest vm, OwnershipEpoch epoch) {
  }

  private final ConcurrentMap<VmId, Hosted> guests = new ConcurrentHashMap<>();

  /**
   * Takes a VM in. A copy under an older epoch, kept from when the VM was here before, is destroyed.
   *
   * @throws IllegalStateException if the VM is here under this epoch or a later one
   */
  public void adopt(IncomingGuest vm, OwnershipEpoch epoch) {
    Hosted before;
    synchronized (this) {
      before = guests.get(vm.spec().id());
      if (before != null && before.epoch().compareTo(epoch) >= 0) {
        throw new IllegalStateException(
            "VM %s is on this host already, under epoch %s".formatted(vm.spec().name(), before.epoch()));
      }
      guests.put(vm.spec().id(), new Hosted(vm, epoch));
    }
    connect(vm, epoch);
    // Outside the monitor, here and below: a VM's disk may take its time, and other VMs come and go.
    if (before != null) {
      before.vm().close();
    }
  }

  /** A VM that is here came back to this host before it left: it is here under a later epoch. */
  public synchronized void reown(Guest copy, OwnershipEpoch epoch) {
    Hosted hosted = guests.get(copy.spec().id());
    if (hosted != null && hosted.vm() == copy) {
      guests.put(copy.spec().id(), new Hosted(hosted.vm(), epoch));
      connect(hosted.vm(), epoch);
    }
  }

  private void connect(IncomingGuest vm, OwnershipEpoch epoch) {
    vm.connect(() -> find(vm.spec().id()).filter(each -> each.vm() == vm && each.epoch().equals(epoch)).isPresent());
  }

  public Optional<Hosted> find(VmId id) {
    return Optional.ofNullable(guests.get(id));
  }

  public List<Hosted> list() {
    return List.copyOf(guests.values());
  }

  /** Destroys this very copy of a VM, and no other that may have come since. */
  public void discard(Guest copy) {
    synchronized (this) {
      guests.values().removeIf(each -> each.vm() == copy);
    }
    if (copy instanceof IncomingGuest vm) {
      vm.close();
    }
  }

  /** Destroys a VM that this host has under the epoch or an older one; true if there was one. */
  public boolean destroy(VmId id, OwnershipEpoch epoch) {
    Hosted hosted;
    synchronized (this) {
      hosted = guests.get(id);
      if (hosted == null || hosted.epoch().compareTo(epoch) > 0) {
        return false;
      }
      guests.remove(id);
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
