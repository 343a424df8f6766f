package dev.pageferry.agent.network;

import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.NetworkCard;
import java.net.InetSocketAddress;

/** Stations and frames of tests. */
final class Frames {
  static final int VNI = 7;

  private Frames() {
  }

  static MacAddress mac(int number) {
    return new MacAddress(0x02_00_00_00_00_00L + number);
  }

  static NetworkCard card(int number) {
    return card(number, VNI);
  }

  static NetworkCard card(int number, int vni) {
    return new NetworkCard(mac(number), vni, new Ipv4Address(10 << 24 | number));
  }

  static byte[] frame(int from, int to) {
    return frame(mac(from), mac(to));
  }

  static byte[] frame(MacAddress from, MacAddress to) {
    return EthernetFrame.of(to, from, EthernetFrame.TYPE_IPV4, 46);
  }

  static byte[] broadcast(int from) {
    return frame(mac(from), MacAddress.BROADCAST);
  }

  static TunnelEnd host(String name, int number) {
    return new TunnelEnd(name, new InetSocketAddress("127.0.0." + number, 4789), TunnelEnd.ALL_NETWORKS, false);
  }
}
