package dev.pageferry.agent.network;

import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.NetworkCard;

/** A station of a network. Networks are apart: the same address may be on each of them. */
record StationKey(int vni, MacAddress mac) {
  static StationKey of(NetworkCard card) {
    return new StationKey(card.vni(), card.mac());
  }
}
