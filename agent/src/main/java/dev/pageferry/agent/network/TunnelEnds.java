package dev.pageferry.agent.network;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The tunnel ends that this host was told of. Immutable.
 *
 * <p>Hosts of ours send from the port that they listen on; a Linux host sends from ports that change (RFC 7348, section 5),
 * so that one alone at its address is known by the address.
 */
final class TunnelEnds {
  static final TunnelEnds NONE = new TunnelEnds(List.of());

  private final Map<InetSocketAddress, TunnelEnd> bySocket = new HashMap<>();
  private final Map<InetAddress, List<TunnelEnd>> byAddress = new HashMap<>();
  private final Map<String, TunnelEnd> byName = new HashMap<>();

  TunnelEnds(List<TunnelEnd> ends) {
    for (TunnelEnd each : ends) {
      bySocket.put(each.address(), each);
      byAddress.computeIfAbsent(each.address().getAddress(), address -> new ArrayList<>()).add(each);
      byName.put(each.name(), each);
    }
  }

  /** Who sent a datagram; null if nobody that is known. */
  @Nullable
  TunnelEnd sender(InetSocketAddress from) {
    TunnelEnd exact = bySocket.get(from);
    if (exact != null) {
      return exact;
    }
    List<TunnelEnd> atAddress = byAddress.getOrDefault(from.getAddress(), List.of());
    return atAddress.size() == 1 ? atAddress.getFirst() : null;
  }

  Optional<TunnelEnd> named(String name) {
    return Optional.ofNullable(byName.get(name));
  }

  Set<TunnelEnd> all() {
    return Set.copyOf(bySocket.values());
  }
}
