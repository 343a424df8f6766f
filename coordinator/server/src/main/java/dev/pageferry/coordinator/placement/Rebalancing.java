package dev.pageferry.coordinator.placement;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Evens out free memory: of all moves that may be, the one that evens it out most is taken, again and again, until none helps enough. The
 * same worlds give the same answer, in whatever order they are listed.
 */
public final class Rebalancing {
  /** A move between hosts whose free memory differs by less than this part of what both have free is not worth its while. */
  private static final double WORTHWHILE = 0.2;
  /** The best first; of equals the first by name. */
  private static final Comparator<Shift> BEST = Comparator.comparingDouble(Shift::gain).reversed()
      .thenComparing(each -> each.vm().name()).thenComparing(Shift::to);

  private final World world;
  private final Map<String, Long> free = new HashMap<>();
  private final Map<String, String> whereabouts = new HashMap<>();

  /**
   * A VM that is moved.
   *
   * @param freeHere what the host that it is on has free before it leaves
   * @param freeThere what its destination has free before it comes
   */
  public record Shift(PlacementVm vm, String to, long freeHere, long freeThere) {
    /** By how much the sum of the squares of what hosts have free falls, halved: the more even, the smaller it is. */
    double gain() {
      return (double) vm.memoryBytes() * (freeThere - freeHere - vm.memoryBytes());
    }

    private boolean isWorthwhile() {
      return gain() > 0 && freeThere - freeHere > WORTHWHILE * ((double) freeThere + freeHere);
    }
  }

  private Rebalancing(World world) {
    this.world = world;
    world.hosts().forEach(each -> free.put(each.name(), Math.max(0, each.memoryFreeBytes())));
    world.vms().forEach(each -> whereabouts.put(each.name(), each.host()));
  }

  /** What is to be moved, in that order; each VM once at most. */
  public static List<Shift> of(World world) {
    Rebalancing rebalancing = new Rebalancing(world);
    List<Shift> shifts = new ArrayList<>();
    Set<String> moved = new HashSet<>();
    for (Optional<Shift> next = rebalancing.best(moved); next.isPresent(); next = rebalancing.best(moved)) {
      Shift shift = next.get();
      shifts.add(shift);
      moved.add(shift.vm().name());
      rebalancing.take(shift);
    }
    return shifts;
  }

  private void take(Shift shift) {
    free.merge(shift.vm().host(), shift.vm().memoryBytes(), Math::addExact);
    free.merge(shift.to(), -shift.vm().memoryBytes(), Math::addExact);
    whereabouts.put(shift.vm().name(), shift.to());
  }

  private Optional<Shift> best(Set<String> moved) {
    return world.vms().stream().filter(each -> !moved.contains(each.name()) && isMovable(each))
        .flatMap(this::shifts).filter(Shift::isWorthwhile).min(BEST);
  }

  /** One that is on its way stays out of it, and one that is where it is wanted. */
  private boolean isMovable(PlacementVm vm) {
    boolean isWanted = !vm.prefer().isEmpty() && vm.prefer().getFirst().equals(vm.host());
    return vm.arrivingAt().isEmpty() && !isWanted && world.hosts().stream()
        .anyMatch(each -> each.name().equals(vm.host()) && each.trouble().isEmpty());
  }

  private Stream<Shift> shifts(PlacementVm vm) {
    return world.hosts().stream().filter(each -> mayTake(each, vm))
        .map(each -> new Shift(vm, each.name(), free.getOrDefault(vm.host(), 0L), free.getOrDefault(each.name(), 0L)));
  }

  private boolean mayTake(PlacementHost host, PlacementVm vm) {
    return host.trouble().isEmpty() && !host.name().equals(vm.host()) && !host.refusals().containsKey(vm.name())
        && (vm.storage().isEmpty() || vm.storage().equals(host.storage())) && !hasOneOfItsGroup(host, vm);
  }

  private boolean hasOneOfItsGroup(PlacementHost host, PlacementVm vm) {
    return !vm.apartFrom().isEmpty() && world.vms().stream()
        .anyMatch(each -> !each.name().equals(vm.name()) && each.apartFrom().equals(vm.apartFrom())
            && (host.name().equals(whereabouts.get(each.name())) || each.arrivingAt().equals(host.name())));
  }
}
