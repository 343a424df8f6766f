package dev.pageferry.coordinator.placement;

import dev.pageferry.coordinator.placement.Placed.Choice;
import dev.pageferry.coordinator.placement.Placed.Why;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Places VMs one after the other, in {@link PlacementVm#ORDER}. Each goes to the first of its preferred hosts that can take it, else
 * to the host with the most memory left, of equals to the first by name; what it takes there counts for all that follow. So a VM
 * never changes where one that comes before it goes. Nothing is placed anew to make room: a further host, or one VM less, may leave
 * a later VM without a place that it had.
 *
 * <p>The same worlds and VMs give the same answer, in whatever order they are listed.
 */
public final class Placement {
  private static final Comparator<Verdict> ROOMIEST = Comparator.comparingLong(Verdict::freeBytes).reversed()
      .thenComparing(Verdict::host);

  private final List<PlacementHost> hosts;
  /** Promised by this placement, by host. */
  private final Map<String, Long> promised = new HashMap<>();
  /** By host and group, a VM of the group that is there. */
  private final Map<Seat, String> apart = new HashMap<>();

  /** Where one VM of a group may be. */
  private record Seat(String host, String group) {
  }

  private Placement(World world, Set<String> moving) {
    hosts = world.hosts().stream().sorted(Comparator.comparing(PlacementHost::name)).toList();
    for (PlacementVm each : world.vms()) {
      if (!moving.contains(each.name())) {
        sit(each, each.host());
        sit(each, each.arrivingAt());
      }
    }
  }

  /**
   * Where each of the VMs would go.
   *
   * @param world with the hosts that count, and what is on them; the VMs themselves, where they are in it, hold no place there
   * @return in the order in which they are placed
   */
  public static List<Placed> of(World world, Collection<PlacementVm> vms) {
    Placement placement = new Placement(world, vms.stream().map(PlacementVm::name).collect(Collectors.toSet()));
    List<Placed> placed = new ArrayList<>();
    for (PlacementVm each : vms.stream().sorted(PlacementVm.ORDER).toList()) {
      placed.add(placement.place(each));
    }
    return placed;
  }

  private Placed place(PlacementVm vm) {
    List<Verdict> verdicts = hosts.stream().map(each -> judge(each, vm)).toList();
    Optional<Choice> choice = choose(vm, verdicts.stream().filter(Verdict::isEligible).toList());
    choice.ifPresent(each -> {
      promised.merge(each.of().host(), vm.memoryBytes(), Math::addExact);
      sit(vm, each.of().host());
    });
    return new Placed(vm, choice, verdicts);
  }

  private void sit(PlacementVm vm, String host) {
    if (!vm.apartFrom().isEmpty() && !host.isEmpty()) {
      // Of several, as an operator may have put them there, the first by name is told of.
      apart.merge(new Seat(host, vm.apartFrom()), vm.name(), (a, b) -> a.compareTo(b) < 0 ? a : b);
    }
  }

  private Verdict judge(PlacementHost host, PlacementVm vm) {
    long promisedBytes = promised.getOrDefault(host.name(), 0L);
    long freeBytes = Math.max(0, host.memoryFreeBytes() - promisedBytes);
    return new Verdict(host.name(), obstacle(host, vm, freeBytes, promisedBytes), freeBytes);
  }

  /** What does not pass comes before what may, so that the reason is the one to do something about. */
  private Optional<Obstacle> obstacle(PlacementHost host, PlacementVm vm, long freeBytes, long promisedBytes) {
    if (!host.trouble().isEmpty()) {
      return Optional.of(new Obstacle.NotUsable(host.trouble()));
    }
    if (!vm.storage().isEmpty() && !vm.storage().equals(host.storage())) {
      return Optional.of(new Obstacle.OtherStorage(vm.storage(), host.storage()));
    }
    String refusal = host.refusals().get(vm.name());
    if (refusal != null) {
      return Optional.of(new Obstacle.Refused(refusal));
    }
    String other = apart.get(new Seat(host.name(), vm.apartFrom()));
    if (other != null) {
      return Optional.of(new Obstacle.NotApart(vm.apartFrom(), other));
    }
    return vm.memoryBytes() > freeBytes
        ? Optional.of(new Obstacle.TooLittleMemory(vm.memoryBytes(), freeBytes, promisedBytes))
        : Optional.empty();
  }

  private static Optional<Choice> choose(PlacementVm vm, List<Verdict> eligible) {
    for (String each : vm.prefer()) {
      Optional<Verdict> preferred = eligible.stream().filter(it -> it.host().equals(each)).findFirst();
      if (preferred.isPresent()) {
        return preferred.map(it -> new Choice(it, Why.PREFERRED));
      }
    }
    if (eligible.size() == 1) {
      return Optional.of(new Choice(eligible.getFirst(), Why.ONLY));
    }
    return eligible.stream().min(ROOMIEST).map(best -> new Choice(best,
        eligible.stream().filter(each -> each.freeBytes() == best.freeBytes()).count() > 1
            ? Why.FIRST_BY_NAME
            : Why.MOST_MEMORY));
  }
}
