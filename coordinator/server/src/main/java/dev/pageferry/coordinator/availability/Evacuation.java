package dev.pageferry.coordinator.availability;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.agents.AgentClient;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.placement.Placed;
import dev.pageferry.coordinator.placement.Placement;
import dev.pageferry.coordinator.placement.PlacementVm;
import dev.pageferry.coordinator.placement.Rebalancing;
import dev.pageferry.coordinator.placement.Rebalancing.Shift;
import dev.pageferry.coordinator.placement.World;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** Where VMs that run would be moved, by the same rules by which they are restarted. */
public final class Evacuation {
  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final ArrivalQuestions arrivals;

  public Evacuation(HostInventory inventory, OwnershipLedger ledger, AgentClient agents, Scheduler scheduler) {
    this.inventory = inventory;
    this.ledger = ledger;
    this.arrivals = new ArrivalQuestions(agents, scheduler);
  }

  /**
   * A VM that is to leave.
   *
   * @param storage that its destination must have even if the VM has no disks; empty: any will do
   * @param avoid a host that it goes to only if no other can take it; empty: none
   */
  public record Leaving(String vm, String storage, String avoid) {
  }

  /**
   * Where VMs of a host would go that takes none.
   *
   * @param vms those that are not on record are left out
   * @param promised memory that is not free any more for them, by host
   * @return in the order in which they were placed
   */
  public List<Placed> from(String host, Collection<Leaving> vms, Map<String, Long> promised)
      throws InterruptedException {
    ClusterPicture picture = ClusterPicture.of(inventory, ledger);
    List<PlacementVm> leaving = new ArrayList<>();
    for (Leaving each : vms) {
      picture.vm(each.vm()).ifPresent(vm -> leaving.add(
          vm.storage().isEmpty() && !each.storage().isEmpty() ? vm.needing(each.storage()) : vm));
    }
    Map<String, Map<String, String>> said = arrivals.refusalsOfMoves(picture, leaving);
    Map<String, Map<String, String>> refusals = new LinkedHashMap<>();
    said.forEach((to, reasons) -> refusals.put(to, new LinkedHashMap<>(reasons)));
    for (Leaving each : vms) {
      if (!each.avoid().isEmpty()) {
        refusals.computeIfAbsent(each.avoid(), _ -> new LinkedHashMap<>()).putIfAbsent(each.vm(),
            "the last move there failed");
      }
    }
    List<Placed> placed = Placement.of(closed(picture, refusals, host, promised), leaving);
    // Rather there than nowhere.
    Set<String> nowhere = placed.stream().filter(each -> each.host().isEmpty()).map(each -> each.vm().name())
        .collect(Collectors.toSet());
    List<Leaving> again = vms.stream().filter(each -> !each.avoid().isEmpty() && nowhere.contains(each.vm())).toList();
    if (again.isEmpty()) {
      return placed;
    }
    for (Leaving each : again) {
      Map<String, String> there = Objects.requireNonNull(refusals.get(each.avoid()));
      String own = said.getOrDefault(each.avoid(), Map.of()).get(each.vm());
      if (own == null) {
        there.remove(each.vm());
      }
    }
    return Placement.of(closed(picture, refusals, host, promised), leaving);
  }

  private static World closed(ClusterPicture picture, Map<String, Map<String, String>> refusals, String host,
      Map<String, Long> promised) {
    return picture.world(refusals).closed(host, "it is the host that is drained").promising(promised);
  }

  /** Why a VM cannot go to that host now; empty: it can, or it is not on record. */
  public Optional<String> obstacle(String vm, String to) throws InterruptedException {
    ClusterPicture picture = ClusterPicture.of(inventory, ledger);
    Optional<PlacementVm> found = picture.vm(vm);
    if (found.isEmpty()) {
      return Optional.empty();
    }
    List<PlacementVm> alone = List.of(found.get());
    World world = picture.world(arrivals.refusalsOfMoves(picture, alone));
    return Placement.of(world, alone).getFirst().verdicts().stream().filter(each -> each.host().equals(to)).findFirst()
        .map(each -> each.isEligible()
            ? Optional.<String>empty()
            : Optional.of("host %s: %s".formatted(to, each.reason())))
        .orElse(Optional.of("host %s is not known".formatted(to)));
  }

  /** What would be moved so that hosts have as much free memory as each other, more or less. */
  public List<Shift> shifts() throws InterruptedException {
    ClusterPicture picture = ClusterPicture.of(inventory, ledger);
    World world = picture.world();
    Map<String, Map<String, String>> refusals = arrivals.refusalsOfMoves(picture, world.vms());
    return Rebalancing.of(picture.world(refusals));
  }
}
