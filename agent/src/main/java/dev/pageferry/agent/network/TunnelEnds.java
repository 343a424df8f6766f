package dev.pageferry.agent.network;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The tunnel ends that this host was told of. Immutable. One that sends from any port is known by its IP address, behind those
 * at that address that are known by their port: a machine may have a Linux device, a host's agent and somebody who pings.
 */
final class TunnelEnds {
  static final TunnelEnds NONE = new TunnelEnds(List.of());

  private final Map<InetSocketAddress, TunnelEnd> bySocket = new HashMap<>();
  private final Map<InetAddress, List<TunnelEnd>> byAddress;
  private final Map<String, TunnelEnd> hosts = new HashMap<>();

  TunnelEnds(List<TunnelEnd> ends) {
    byAddress = ends.stream().filter(TunnelEnd::anyPort)
        .collect(Collectors.groupingBy(each -> each.address().getAddress()));
    for (TunnelEnd each : ends) {
      bySocket.put(each.address(), each);
      if (each.isHost()) {
        hosts.put(each.name(), each);
      }
    }
  }

  /** Whether anybody who is known may send from there. */
  boolean isKnown(InetSocketAddress from) {
    return bySocket.containsKey(from) || byAddress.containsKey(from.getAddress());
  }

  /** Who sent a datagram of a network; null if nobody that is known and on it. */
  @Nullable
  TunnelEnd sender(InetSocketAddress from, int vni) {
    TunnelEnd exact = bySocket.get(from);
    if (exact != null && exact.isOn(vni)) {
      return exact;
    }
    for (TunnelEnd each : byAddress.getOrDefault(from.getAddress(), List.of())) {
      if (each.isOn(vni)) {
        return each;
      }
    }
    return null;
  }

  /** A host's end. */
  Optional<TunnelEnd> host(String name) {
    return Optional.ofNullable(hosts.get(name));
  }

  Set<TunnelEnd> all() {
    return Set.copyOf(bySocket.values());
  }
}
