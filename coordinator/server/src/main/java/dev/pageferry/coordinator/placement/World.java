package dev.pageferry.coordinator.placement;

import java.util.List;
import java.util.Map;

/**
 * What is known when VMs are placed.
 *
 * @param hosts all of them, each with a name of its own
 * @param vms that hosts have in their memory
 */
public record World(List<PlacementHost> hosts, List<PlacementVm> vms) {
  public World {
    hosts = List.copyOf(hosts);
    vms = List.copyOf(vms);
  }

  /** The same without that host and what it has; what left it for another host does not arrive, and needs no memory there. */
  public World after(String deadHost) {
    return new World(
        hosts.stream().map(each -> each.name().equals(deadHost)
            ? each.inTrouble(each.trouble().isEmpty() ? "it is the host that stops" : each.trouble())
            : each.with(comingFrom(deadHost, each.name()))).toList(),
        vms.stream().filter(each -> !each.host().equals(deadHost)).toList());
  }

  /** The same where that host takes nothing. */
  public World closed(String host, String reason) {
    return new World(hosts.stream().map(each -> each.name().equals(host) && each.trouble().isEmpty()
        ? each.inTrouble(reason)
        : each).toList(), vms);
  }

  /** The same with less free memory, by host. */
  public World promising(Map<String, Long> bytes) {
    return new World(hosts.stream().map(each -> each.with(-bytes.getOrDefault(each.name(), 0L))).toList(), vms);
  }

  private long comingFrom(String source, String destination) {
    return on(source).stream().filter(each -> each.arrivingAt().equals(destination))
        .mapToLong(PlacementVm::memoryBytes).sum();
  }

  /** What that host has. */
  public List<PlacementVm> on(String host) {
    return vms.stream().filter(each -> each.host().equals(host)).toList();
  }
}
