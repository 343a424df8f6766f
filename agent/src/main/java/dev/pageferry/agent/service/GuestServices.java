package dev.pageferry.agent.service;

import dev.pageferry.common.packet.ArpPacket;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.IcmpEcho;
import dev.pageferry.common.packet.Ipv4Packet;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.packet.UdpDatagram;
import java.util.List;
import java.util.Optional;

/**
 * What answers on a guest's network cards. All that it remembers is in guest RAM, and a frame is dealt with in one go, so that
 * between two frames it can move to another host. For one thread.
 */
public final class GuestServices {
  /** RFC 862. */
  static final int ECHO_PORT = 7;

  private final List<NetworkCard> cards;
  private final ServiceMemory layout;
  private final DeviceMemory memory;
  private final KeyValueStore store;

  public GuestServices(List<NetworkCard> cards, ServiceMemory layout, DeviceMemory memory) {
    this.cards = List.copyOf(cards);
    this.layout = layout;
    this.memory = memory;
    this.store = new KeyValueStore(layout, memory);
  }

  /**
   * Takes a frame into the card's ring and answers it.
   *
   * @return the answer to send; empty if there is none
   */
  public Optional<byte[]> receive(int card, byte[] frame) {
    long number = memory.getLong(layout.received(card));
    memory.write(layout.buffer(card, number), frame);
    memory.putLong(layout.received(card), number + 1);
    return answer(cards.get(card), frame);
  }

  private Optional<byte[]> answer(NetworkCard card, byte[] frame) {
    return switch (EthernetFrame.type(frame)) {
      case EthernetFrame.TYPE_ARP -> ArpPacket.of(frame)
          .filter(arp -> arp.operation() == ArpPacket.REQUEST && arp.target().equals(card.address())
              && arp.senderMac().isStation())
          .map(arp -> arp.reply(card.mac()));
      case EthernetFrame.TYPE_IPV4 -> Ipv4Packet.of(frame)
          .filter(packet -> packet.destination().equals(card.address()) && packet.source().isHost()
              && EthernetFrame.destination(frame).equals(card.mac()))
          .flatMap(this::answer);
      default -> Optional.empty();
    };
  }

  private Optional<byte[]> answer(Ipv4Packet packet) {
    return switch (packet.protocol()) {
      case Ipv4Packet.ICMP -> IcmpEcho.of(packet).filter(IcmpEcho::isRequest).map(IcmpEcho::reply);
      case Ipv4Packet.UDP -> UdpDatagram.of(packet).flatMap(this::answer);
      default -> Optional.empty();
    };
  }

  private Optional<byte[]> answer(UdpDatagram datagram) {
    return switch (datagram.destinationPort()) {
      // Two that echo would never end.
      case ECHO_PORT -> Optional.of(datagram).filter(each -> each.sourcePort() != ECHO_PORT)
          .map(each -> each.reply(each.data()));
      case KeyValueStore.PORT -> store.answer(datagram.data()).map(datagram::reply);
      default -> Optional.empty();
    };
  }

  /**
   * Checks what can be checked of memory that no twin can be replayed for: the slots of the key-value store.
   *
   * @return keys in the store
   */
  public int check() throws DamagedException {
    return store.check();
  }
}
