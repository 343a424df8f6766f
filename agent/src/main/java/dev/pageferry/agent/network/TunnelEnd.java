package dev.pageferry.agent.network;

import dev.pageferry.common.packet.NetworkCard;
import java.net.InetSocketAddress;

/**
 * The other end of VXLAN tunnels (a VTEP in RFC 7348): another host of the cluster, or whoever was let into a network.
 *
 * @param name of the host, or of whoever was let in
 * @param address resolved; where datagrams go to
 * @param vni the one network that it is on; 0: all, as only hosts are
 * @param anyPort whether its datagrams come from ports that change, as those of Linux do (RFC 7348, section 5)
 */
public record TunnelEnd(String name, InetSocketAddress address, int vni, boolean anyPort) implements RemoteEnd {
  /** For ends that are on all networks. */
  public static final int ALL_NETWORKS = 0;

  public TunnelEnd {
    if (address.isUnresolved() || address.getPort() == 0) {
      throw new IllegalArgumentException("%s at %s cannot be reached".formatted(name, address));
    }
    if (vni != ALL_NETWORKS) {
      NetworkCard.checkVni(vni);
    }
  }

  boolean isHost() {
    return vni == ALL_NETWORKS;
  }

  boolean isOn(int network) {
    return vni == ALL_NETWORKS || vni == network;
  }
}
