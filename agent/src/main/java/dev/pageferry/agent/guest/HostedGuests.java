package dev.pageferry.agent.guest;

import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The VMs that this host has, each with the epoch under which it has it. */
public final class HostedGuests implements HostedCopies {
  private static final Logger log = LoggerFactory.getLogger(HostedGuests.class);

  /** A VM on this host. */
  public record Hosted(Guest vm, OwnershipEpoch epoch) {
  }

  private final ConcurrentMap<VmId, Hosted> guests = new ConcurrentHashMap<>();
  private volatile Runnable follower = () -> {
  };
  private volatile BiPredicate<VmId, OwnershipEpoch> mayWork = (vm, epoch) -> true;
  /** Not of this host any more, and not ended yet. Guarded by this. */
  private final Set<Guest> leaving = Collections.newSetFromMap(new IdentityHashMap<>());
  /** Guarded by this. */
  private long stepsOfThoseThatLeft;

  /** @param told whenever a guest has come or gone, perhaps with a monitor held; must return at once */
  public void follow(Runnable told) {
    follower = told;
  }

  /** @param permitted whether a VM that is this host's under that epoch may send and hear now; asked for each frame */
  public void connectedWhile(BiPredicate<VmId, OwnershipEpoch> permitted) {
    mayWork = permitted;
  }

  /**
   * Takes a VM in. A copy under an older epoch, kept from when the VM was here before, is destroyed.
   *
   * @throws IllegalStateException if the VM is here under this epoch or a later one
   */
  public void adopt(Guest vm, OwnershipEpoch epoch) {
    Hosted before;
    synchronized (this) {
      before = guests.get(vm.spec().id());
      if (before != null && before.epoch().compareTo(epoch) >= 0) {
        throw new IllegalStateException(
            "VM %s is on this host already, under epoch %s".formatted(vm.spec().name(), before.epoch()));
      }
      guests.put(vm.spec().id(), new Hosted(vm, epoch));
      follower.run();
      if (before != null) {
        leaving.add(before.vm());
      }
    }
    // From here on it is known to be here, and its source may give its copy up: nothing more may fail.
    try {
      connect(vm, epoch);
      // Outside the monitor, here and below: a VM's disk may take its time, and other VMs come and go.
      if (before != null) {
        leave(before.vm());
      }
    } catch (RuntimeException | Error e) {
      log.error("vm={} is here, and something about its coming failed", vm.spec().name(), e);
    }
  }

  /** It came back before it had left. */
  @Override
  public synchronized void ruledOurs(Guest copy, Ruling.Ours ruling) {
    Hosted hosted = guests.get(copy.spec().id());
    if (hosted != null && hosted.vm() == copy && !hosted.epoch().equals(ruling.epoch())) {
      guests.put(copy.spec().id(), new Hosted(hosted.vm(), ruling.epoch()));
      connect(hosted.vm(), ruling.epoch());
    }
  }

  /** A VM that was taken in before it was built has its network cards by now. */
  public void connect(Guest vm) {
    find(vm.spec().id()).filter(each -> each.vm() == vm).ifPresent(each -> connect(vm, each.epoch()));
  }

  private void connect(Guest vm, OwnershipEpoch epoch) {
    vm.ownedUnder(epoch);
    VmId id = vm.spec().id();
    vm.connect(() -> find(id).filter(each -> each.vm() == vm && each.epoch().equals(epoch)).isPresent()
        && mayWork.test(id, epoch));
  }

  public Optional<Hosted> find(VmId id) {
    return Optional.ofNullable(guests.get(id));
  }

  public List<Hosted> list() {
    return List.copyOf(guests.values());
  }

  /** Destroys this very copy of a VM, and no other that may have come since. */
  @Override
  public void givenAway(Guest copy, Ruling.NotOurs ruling) {
    end(copy);
  }

  @Override
  public boolean has(Guest copy) {
    return guests.values().stream().anyMatch(each -> each.vm() == copy);
  }

  /** Destroys a VM that was to be built here, and has not done a step. */
  public void discardUnbuilt(Guest vm) {
    end(vm);
  }

  private void end(Guest copy) {
    end(copy, Guest::close);
  }

  private void end(Guest copy, Consumer<Guest> how) {
    synchronized (this) {
      if (guests.values().removeIf(each -> each.vm() == copy)) {
        leaving.add(copy);
        follower.run();
      }
    }
    leave(copy, how);
  }

  private void leave(Guest copy) {
    leave(copy, Guest::close);
  }

  private void leave(Guest copy, Consumer<Guest> how) {
    try {
      how.accept(copy);
    } finally {
      synchronized (this) {
        if (leaving.remove(copy)) {
          stepsOfThoseThatLeft += stepsOf(copy);
        }
      }
    }
  }

  /** Destroys a VM that this host has under an epoch that is over; true if there was one. */
  public boolean destroy(VmId id, CoordinatorsWord word) {
    Hosted hosted;
    synchronized (this) {
      hosted = guests.get(id);
      if (hosted == null || !word.concerns(hosted.epoch())) {
        return false;
      }
      guests.remove(id);
      leaving.add(hosted.vm());
      follower.run();
    }
    leave(hosted.vm());
    return true;
  }

  /** Steps that guests have done on this host since its start, those included that have left. Grows only. */
  public synchronized long stepsDone() {
    return stepsOfThoseThatLeft + Stream.concat(list().stream().map(Hosted::vm), leaving.stream())
        .mapToLong(HostedGuests::stepsOf).sum();
  }

  private static long stepsOf(Guest guest) {
    return guest.replayable().map(Replayable::stepsHere).orElse(0L);
  }

  /** This process ends: VMs are left to the next agent of this host, and those that cannot be end. */
  public void close() {
    for (Hosted each : list()) {
      end(each.vm(), Guest::detach);
    }
  }
}
