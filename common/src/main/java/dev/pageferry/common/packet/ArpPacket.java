package dev.pageferry.common.packet;

import java.util.Optional;

/**
 * ARP and RARP for IPv4 over Ethernet (RFC 826, RFC 903), behind the Ethernet header:
 *
 * <pre>
 * 14  hardware type 0001 (2)   16  protocol type 0800 (2)
 * 18  address lengths 06, 04   20  operation (2)
 * 22  sender's MAC (6)         28  sender's IPv4 address (4)
 * 32  target's MAC (6)         38  target's IPv4 address (4)
 * </pre>
 */
public record ArpPacket(int operation, MacAddress senderMac, Ipv4Address sender, MacAddress targetMac,
    Ipv4Address target) {
  public static final int REQUEST = 1;
  public static final int REPLY = 2;
  public static final int REVERSE_REQUEST = 3;

  private static final int HARDWARE_TYPE = EthernetFrame.HEADER_BYTES;
  private static final int PROTOCOL_TYPE = HARDWARE_TYPE + 2;
  private static final int LENGTHS = PROTOCOL_TYPE + 2;
  private static final int OPERATION = LENGTHS + 2;
  private static final int SENDER_MAC = OPERATION + 2;
  private static final int SENDER = SENDER_MAC + MacAddress.BYTES;
  private static final int TARGET_MAC = SENDER + 4;
  private static final int TARGET = TARGET_MAC + MacAddress.BYTES;
  private static final int END = TARGET + 4;
  private static final int ETHERNET = 1;
  private static final int LENGTHS_6_4 = 0x0604;

  /** The packet in a frame; empty if it holds none for IPv4 over Ethernet. */
  public static Optional<ArpPacket> of(byte[] frame) {
    if (frame.length < END || Bytes.u16(frame, HARDWARE_TYPE) != ETHERNET
        || Bytes.u16(frame, PROTOCOL_TYPE) != EthernetFrame.TYPE_IPV4 || Bytes.u16(frame, LENGTHS) != LENGTHS_6_4) {
      return Optional.empty();
    }
    return Optional.of(new ArpPacket(Bytes.u16(frame, OPERATION), MacAddress.at(frame, SENDER_MAC),
        new Ipv4Address((int) Bytes.u32(frame, SENDER)), MacAddress.at(frame, TARGET_MAC),
        new Ipv4Address((int) Bytes.u32(frame, TARGET))));
  }

  /** Asks everybody who has an address. */
  public static byte[] request(MacAddress senderMac, Ipv4Address sender, Ipv4Address target) {
    return new ArpPacket(REQUEST, senderMac, sender, MacAddress.ZERO, target).frame(MacAddress.BROADCAST,
        EthernetFrame.TYPE_ARP);
  }

  /** Answers a request that asked for this address. */
  public byte[] reply(MacAddress mac) {
    return new ArpPacket(REPLY, mac, target, senderMac, sender).frame(senderMac, EthernetFrame.TYPE_ARP);
  }

  /** Says that an address is here: gratuitous ARP, an announcement of RFC 5227. */
  public static byte[] gratuitous(MacAddress mac, Ipv4Address address) {
    return request(mac, address, address);
  }

  /** A reverse request of a card for itself, by which switches learn where it is. */
  public static byte[] reverse(MacAddress mac) {
    return new ArpPacket(REVERSE_REQUEST, mac, Ipv4Address.ANY, mac, Ipv4Address.ANY).frame(MacAddress.BROADCAST,
        EthernetFrame.TYPE_RARP);
  }

  private byte[] frame(MacAddress destination, int type) {
    byte[] frame = new byte[EthernetFrame.MIN_WIRE_BYTES];
    EthernetFrame.putHeader(frame, destination, senderMac, type);
    Bytes.putU16(frame, HARDWARE_TYPE, ETHERNET);
    Bytes.putU16(frame, PROTOCOL_TYPE, EthernetFrame.TYPE_IPV4);
    Bytes.putU16(frame, LENGTHS, LENGTHS_6_4);
    Bytes.putU16(frame, OPERATION, operation);
    senderMac.put(frame, SENDER_MAC);
    Bytes.putU32(frame, SENDER, sender.bits() & 0xFFFF_FFFFL);
    targetMac.put(frame, TARGET_MAC);
    Bytes.putU32(frame, TARGET, target.bits() & 0xFFFF_FFFFL);
    return frame;
  }
}
