package dev.pageferry.coordinator.availability;

import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.placement.Placed;
import dev.pageferry.coordinator.placement.Placement;
import dev.pageferry.coordinator.placement.PlacementVm;
import dev.pageferry.coordinator.placement.World;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiConsumer;

/** VMs that wait for a time that is known: what becomes of them then, if nothing changes. For people. */
final class KnownWaits {
  private KnownWaits() {
  }

  /**
   * A VM that is to be started once its host is known to be gone.
   *
   * @param reason why not now
   * @param within from now on until that is known
   */
  record Wait(Row row, PlacementVm vm, String reason, Duration within) {
  }

  /**
   * @param heard hosts that are heard, and what they have
   * @param look by how much later a VM is begun to be started than it could be
   * @param told is told of each
   */
  static void foretell(List<Wait> waits, World heard, Instant now, Duration look, BiConsumer<Row, String> told) {
    Map<String, Placed> places = new HashMap<>();
    Placement.of(heard, waits.stream().map(Wait::vm).toList()).forEach(each -> places.put(each.vm().name(), each));
    for (Wait each : waits) {
      Placed placed = Objects.requireNonNull(places.get(each.vm().name()));
      Instant start = now.plus(each.within()).plus(look).truncatedTo(ChronoUnit.SECONDS).plusSeconds(1);
      told.accept(each.row(), placed.host().isEmpty()
          ? "%s; then, as far as is known now, %s".formatted(each.reason(), placed.reason())
          : "%s; it is started no later than %s, on host %s, since %s".formatted(each.reason(), start,
              placed.host().get(), placed.reason()));
    }
  }
}
