package dev.pageferry.coordinator.availability;

import dev.pageferry.coordinator.placement.PlacementVm;
import dev.pageferry.coordinator.placement.World;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.cluster.v1.Ha;
import java.util.List;
import java.util.Optional;

/**
 * Which VMs may be started elsewhere by themselves once their host stopped: those of which it can be known that nothing of them has
 * effects any more, and whose disks others reach.
 */
final class RestartRule {
  private RestartRule() {
  }

  /**
   * Why a VM is never restarted by itself; empty: it is.
   *
   * @param vm with the host that stops
   */
  static Optional<String> neverBecause(PlacementVm vm, List<Disk> disks, Ha.Name ha, World world) {
    if (ha == Ha.Name.OFF) {
      return Optional.of("its ha is off");
    }
    if (disks.isEmpty()) {
      return ha == Ha.Name.ON
          ? Optional.empty()
          : Optional.of(
              "it has no disks whose leases would show that it has ended; with 'ferry vm set %s --ha on' it is restarted"
                  .formatted(vm.name()));
    }
    Optional<Disk> own = disks.stream().filter(each -> each.getName().startsWith("/")).findFirst();
    if (own.isPresent()) {
      return Optional.of("its disk %s is passed through by a path, and is on no shared storage".formatted(own.get()
          .getName()));
    }
    boolean isShared = world.hosts().stream()
        .anyMatch(each -> !each.name().equals(vm.host()) && each.storage().equals(vm.storage()));
    return isShared
        ? Optional.empty()
        : Optional.of("its disks are on storage that no other host has (%s)".formatted(vm.storage()));
  }
}
