package dev.pageferry.coordinator.availability;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.fencing.Fences;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.placement.Placed;
import dev.pageferry.coordinator.placement.Placement;
import dev.pageferry.coordinator.placement.PlacementVm;
import dev.pageferry.coordinator.placement.World;
import dev.pageferry.proto.cluster.v1.FenceDevice;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * Whether a silent host is switched off: where a VM is to run elsewhere, nothing else shows that its host has ended, and it would be of use.
 * What comes of it is found by a later look, as the end of the host.
 */
final class PowerFencing {
  /** Hosts that fell silent within that time of each other may have one cause. */
  private static final Duration TOGETHER = Duration.ofMinutes(1);

  private final HostInventory inventory;
  private final Fences fences;

  /** A VM of a silent host, of which only the host's power tells more. */
  record Undecided(Row row, PlacementVm vm, String reason) {
  }

  PowerFencing(HostInventory inventory, Fences fences) {
    this.inventory = inventory;
    this.fences = fences;
  }

  /**
   * Begins what is due, and says what the VM waits for.
   *
   * @param heard hosts that are heard, and what they have
   * @param held why nothing is to be done now; empty: it may be
   */
  String judge(Undecided vm, World heard, Optional<String> held) {
    Optional<Host> found = inventory.find(new HostId(vm.row().record().getOwnerHost()))
        .filter(each -> each.incarnation().value().equals(vm.row().record().getOwnerIncarnation()));
    if (found.isEmpty() || found.get().isConfirmedDead()) {
      return vm.reason();
    }
    Host host = found.get();
    List<FenceDevice> devices = fences.devices(host.id());
    if (devices.isEmpty()) {
      return vm.reason();
    }
    return obstacle(vm, host, heard, held)
        .map(each -> "%s; it is not switched off by %s: %s".formatted(vm.reason(), Fences.named(devices), each))
        .orElseGet(() -> fences.fence(host));
  }

  private Optional<String> obstacle(Undecided vm, Host host, World heard, Optional<String> held) {
    if (held.isPresent()) {
      return held;
    }
    Duration silence = inventory.silentFor(host.id());
    if (silence.compareTo(Fences.SILENCE) < 0) {
      return Optional.of("it has been silent for %d s of %d s".formatted(silence.toSeconds(),
          Fences.SILENCE.toSeconds()));
    }
    List<Host> known = inventory.list().stream().filter(each -> !each.isConfirmedDead()).toList();
    long hearing = known.stream().filter(each -> Fencing.isHeard(inventory, each.id(), each.incarnation())).count();
    long together = known.stream().filter(each -> !Fencing.isHeard(inventory, each.id(), each.incarnation()))
        // One that this process never heard has been silent for who knows how long.
        .filter(each -> inventory.silenceOf(each.id()).isPresent())
        .filter(each -> inventory.silentFor(each.id()).minus(silence).abs().compareTo(TOGETHER) <= 0).count();
    if (together > hearing) {
      return Optional.of(
          "%d hosts fell silent together, and %d are heard, so that this coordinator may be the one that is cut off; if it is off: 'ferry host confirm-dead %s'"
              .formatted(together, hearing, host.id()));
    }
    Placed placed = Placement.of(heard, List.of(vm.vm())).getFirst();
    return placed.host().isPresent() ? Optional.empty() : Optional.of(placed.reason());
  }
}
