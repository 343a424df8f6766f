package dev.pageferry.common.packet;

import java.util.Arrays;
import java.util.Optional;

/**
 * A UDP datagram (RFC 768): source port (2), destination port (2), length (2), checksum (2), data.
 *
 * @param packet that it came in
 */
public record UdpDatagram(Ipv4Packet packet, int sourcePort, int destinationPort, byte[] data) {
  private static final int DESTINATION_PORT = 2;
  private static final int LENGTH = 4;
  private static final int CHECKSUM = 6;
  private static final int HEADER_BYTES = 8;

  /** The most data that fits an Ethernet frame of the ordinary size. */
  public static final int MAX_DATA_BYTES = EthernetFrame.MAX_BYTES - EthernetFrame.HEADER_BYTES
      - Ipv4Packet.HEADER_BYTES - HEADER_BYTES;

  /** The datagram in a packet; empty if it is damaged, cut off or something else. */
  public static Optional<UdpDatagram> of(Ipv4Packet packet) {
    byte[] frame = packet.frame();
    int start = packet.payload();
    if (packet.protocol() != Ipv4Packet.UDP || packet.payloadBytes() < HEADER_BYTES) {
      return Optional.empty();
    }
    int length = Bytes.u16(frame, start + LENGTH);
    if (length < HEADER_BYTES || length > packet.payloadBytes()
        || !isChecksumRight(packet, length)) {
      return Optional.empty();
    }
    return Optional.of(new UdpDatagram(packet, Bytes.u16(frame, start), Bytes.u16(frame, start + DESTINATION_PORT),
        Arrays.copyOfRange(frame, start + HEADER_BYTES, start + length)));
  }

  /**
   * A checksum of zero says that there is none. One of the addresses and the length alone is what Linux leaves for a network
   * card to complete; between machines that are containers of one kernel there is no such card.
   */
  private static boolean isChecksumRight(Ipv4Packet packet, int length) {
    int carried = Bytes.u16(packet.frame(), packet.payload() + CHECKSUM);
    return carried == 0 || checksum(packet, length) == 0
        || carried == (~InternetChecksum.fold(pseudoHeader(packet, length)) & 0xFFFF);
  }

  /**
   * A frame with a datagram.
   *
   * @param data at most {@link #MAX_DATA_BYTES}
   */
  public static byte[] frame(Endpoints endpoints, int sourcePort, int destinationPort, byte[] data) {
    Ipv4Packet packet = Ipv4Packet.create(endpoints, Ipv4Packet.UDP, HEADER_BYTES + data.length);
    byte[] frame = packet.frame();
    int start = packet.payload();
    Bytes.putU16(frame, start, sourcePort);
    Bytes.putU16(frame, start + DESTINATION_PORT, destinationPort);
    Bytes.putU16(frame, start + LENGTH, HEADER_BYTES + data.length);
    System.arraycopy(data, 0, frame, start + HEADER_BYTES, data.length);
    putChecksum(packet, HEADER_BYTES + data.length);
    return frame;
  }

  private static void putChecksum(Ipv4Packet packet, int length) {
    Bytes.putU16(packet.frame(), packet.payload() + CHECKSUM, 0);
    int checksum = checksum(packet, length);
    // Zero says that there is none.
    Bytes.putU16(packet.frame(), packet.payload() + CHECKSUM, checksum == 0 ? 0xFFFF : checksum);
  }

  /** A datagram back to where this one came from. */
  public byte[] reply(byte[] answer) {
    return frame(packet.answering(), destinationPort, sourcePort, answer);
  }

  private static int checksum(Ipv4Packet packet, int length) {
    return InternetChecksum.fold(
        pseudoHeader(packet, length) + InternetChecksum.sum(packet.frame(), packet.payload(), length));
  }

  private static long pseudoHeader(Ipv4Packet packet, int length) {
    return addressSum(packet.source()) + addressSum(packet.destination()) + Ipv4Packet.UDP + length;
  }

  private static long addressSum(Ipv4Address address) {
    return (address.bits() >>> 16) + (address.bits() & 0xFFFF);
  }
}
