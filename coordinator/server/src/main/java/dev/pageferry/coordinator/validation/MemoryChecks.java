package dev.pageferry.coordinator.validation;

import dev.pageferry.common.units.ByteSize;
import dev.pageferry.coordinator.validation.ClusterLook.HostLook;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Whether hosts have the memory that they promise, and whether the others could take the guests of each of them. */
final class MemoryChecks {
  private static final String PROMISED = "memory-promised";
  private static final String HEADROOM = "memory-headroom";

  private MemoryChecks() {
  }

  static void look(ClusterLook cluster, Findings findings) {
    Findings.Category memory = findings.of("memory");
    for (HostLook each : cluster.answered()) {
      long has = each.facts().orElseThrow().getMachineMemoryBytes();
      if (each.memoryBytes() > has) {
        memory.fail(PROMISED, List.of(each.name()), "%s are promised to guests, and the machine has %s".formatted(
            ByteSize.format(each.memoryBytes()), ByteSize.format(has)),
            "start its agent with a smaller --memory: leave some GiB to the kernel and to QEMU");
      }
    }
    memory.passUnlessFound(PROMISED, "no host promises more than its machine has");
    List<HostLook> up = cluster.hosts().stream().filter(HostLook::isUp).toList();
    if (up.size() < 2) {
      memory.skip(HEADROOM, List.of(), "there is no second host that could take guests");
      return;
    }
    for (HostLook lost : up) {
      unplaced(lost, up).ifPresent(guest -> memory.warn(HEADROOM, List.of(lost.name()),
          "if it were lost, or had to be emptied, VM %s (%s) would fit on no other host".formatted(guest.getKey(),
              ByteSize.format(guest.getValue())),
          "add memory or a host, or stop or shrink VMs"));
    }
    memory.passUnlessFound(HEADROOM, "the others can take all guests of any one host");
  }

  /** The largest guest of a host that no other one has room for, where the largest are placed first, each where most room is. */
  private static Optional<Map.Entry<String, Long>> unplaced(HostLook lost, List<HostLook> hosts) {
    List<Long> free = new ArrayList<>(hosts.stream().filter(each -> !each.equals(lost)).map(HostLook::memoryFreeBytes)
        .toList());
    List<Map.Entry<String, Long>> guests = lost.guests().entrySet().stream()
        .sorted(Map.Entry.<String, Long>comparingByValue().reversed().thenComparing(Map.Entry.comparingByKey()))
        .toList();
    for (Map.Entry<String, Long> guest : guests) {
      free.sort(Comparator.reverseOrder());
      long left = free.getFirst() - guest.getValue();
      if (left < 0) {
        return Optional.of(guest);
      }
      free.set(0, left);
    }
    return Optional.empty();
  }
}
