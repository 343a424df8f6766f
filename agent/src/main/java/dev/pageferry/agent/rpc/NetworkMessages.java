package dev.pageferry.agent.rpc;

import dev.pageferry.agent.network.TunnelEnd;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.proto.registry.v1.NetworkDirectory;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The ends of VXLAN tunnels, from the coordinator's messages. */
final class NetworkMessages {
  private static final Logger log = LoggerFactory.getLogger(NetworkMessages.class);

  private NetworkMessages() {
  }

  /** All ends whose names can be looked up, which may take a while. */
  static List<TunnelEnd> tunnelEnds(NetworkDirectory directory) {
    List<TunnelEnd> ends = new ArrayList<>();
    for (var each : directory.getEndsList()) {
      try {
        HostPort address = HostPort.parse(each.getAddress());
        ends.add(new TunnelEnd(each.getName(), new InetSocketAddress(address.host(), address.port()), each.getVni(),
            each.getAnyPort()));
      } catch (IllegalArgumentException e) {
        log.warn("tunnel end {} is left out: {}", each.getName(), e.getMessage());
      }
    }
    return ends;
  }
}
