package dev.pageferry.coordinator.placement;

import java.util.Comparator;
import java.util.List;

/**
 * A VM as far as its place goes.
 *
 * @param host that has it in its memory; empty: none has
 * @param storage the id of the storage that it needs; empty: any host will do
 * @param priority the higher is placed first
 * @param prefer hosts, the best first
 * @param apartFrom VMs with the same group are on different hosts; empty: none
 * @param arrivingAt where it is on its way to, with memory set aside for it there; empty: nowhere
 */
public record PlacementVm(String name, long memoryBytes, String host, String storage, int priority,
    List<String> prefer, String apartFrom, String arrivingAt) {
  /** Who is placed first: by priority, then the larger, since what is left over suits the smaller; then by name. */
  public static final Comparator<PlacementVm> ORDER = Comparator.comparingInt(PlacementVm::priority).reversed()
      .thenComparing(Comparator.comparingLong(PlacementVm::memoryBytes).reversed())
      .thenComparing(PlacementVm::name);

  public PlacementVm {
    prefer = List.copyOf(prefer);
  }

  /** One that is on its way nowhere. */
  PlacementVm(String name, long memoryBytes, String host, String storage, int priority, List<String> prefer,
      String apartFrom) {
    this(name, memoryBytes, host, storage, priority, prefer, apartFrom, "");
  }

  /** The same, where it needs that storage, too. */
  public PlacementVm needing(String otherStorage) {
    return new PlacementVm(name, memoryBytes, host, otherStorage, priority, prefer, apartFrom, arrivingAt);
  }

  /** The same, with a priority below all that operators can give. */
  public PlacementVm afterAllOthers() {
    return new PlacementVm(name, memoryBytes, host, storage, -1, prefer, apartFrom, arrivingAt);
  }
}
