package dev.pageferry.agent.network;

import dev.pageferry.common.packet.NetworkCard;

/**
 * Which network is on which real interface.
 *
 * @param networkInterface its name, such as eth1
 */
public record InterfaceUplink(String networkInterface, int vni) {
  /** @throws IllegalArgumentException if the text is not INTERFACE[@VNI] */
  public static InterfaceUplink parse(String text) {
    int at = text.lastIndexOf('@');
    String name = at < 0 ? text : text.substring(0, at);
    if (name.isEmpty()) {
      throw new IllegalArgumentException("'%s' is not INTERFACE[@VNI]".formatted(text));
    }
    return new InterfaceUplink(name, at < 0 ? NetworkCard.DEFAULT_VNI : NetworkCard.parseVni(text.substring(at + 1)));
  }
}
