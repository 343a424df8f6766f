package dev.pageferry.common.packet;

import java.util.Optional;

/**
 * ICMP echo and its reply (RFC 792): type (1), code (1), checksum (2), identifier (2), sequence number (2), data.
 *
 * @param packet that it came in
 * @param isRequest or else a reply
 * @param identifier 16 bits that tell one who asks from another
 * @param sequence 16 bits that tell its questions apart
 */
public record IcmpEcho(Ipv4Packet packet, boolean isRequest, int identifier, int sequence) {
  private static final int CODE = 1;
  private static final int CHECKSUM = 2;
  private static final int IDENTIFIER = 4;
  private static final int SEQUENCE = 6;
  private static final int HEADER_BYTES = 8;
  private static final int REPLY = 0;
  private static final int REQUEST = 8;

  /** The echo in a packet; empty if it is damaged or another message. */
  public static Optional<IcmpEcho> of(Ipv4Packet packet) {
    byte[] frame = packet.frame();
    int start = packet.payload();
    if (packet.protocol() != Ipv4Packet.ICMP || packet.payloadBytes() < HEADER_BYTES
        || Bytes.u8(frame, start + CODE) != 0 || InternetChecksum.of(frame, start, packet.payloadBytes()) != 0) {
      return Optional.empty();
    }
    int type = Bytes.u8(frame, start);
    if (type != REQUEST && type != REPLY) {
      return Optional.empty();
    }
    return Optional.of(new IcmpEcho(packet, type == REQUEST, Bytes.u16(frame, start + IDENTIFIER),
        Bytes.u16(frame, start + SEQUENCE)));
  }

  /** A request with so many bytes of data, all zero. */
  public static byte[] request(Endpoints endpoints, int identifier, int sequence, int dataBytes) {
    Ipv4Packet packet = Ipv4Packet.create(endpoints, Ipv4Packet.ICMP, HEADER_BYTES + dataBytes);
    packet.frame()[packet.payload()] = REQUEST;
    Bytes.putU16(packet.frame(), packet.payload() + IDENTIFIER, identifier);
    Bytes.putU16(packet.frame(), packet.payload() + SEQUENCE, sequence);
    return checksummed(packet);
  }

  /** The answer to this request: the same identifier, sequence number and data. */
  public byte[] reply() {
    Ipv4Packet answer = Ipv4Packet.create(packet.answering(), Ipv4Packet.ICMP, packet.payloadBytes());
    System.arraycopy(packet.frame(), packet.payload(), answer.frame(), answer.payload(), packet.payloadBytes());
    answer.frame()[answer.payload()] = REPLY;
    Bytes.putU16(answer.frame(), answer.payload() + CHECKSUM, 0);
    return checksummed(answer);
  }

  private static byte[] checksummed(Ipv4Packet packet) {
    Bytes.putU16(packet.frame(), packet.payload() + CHECKSUM,
        InternetChecksum.of(packet.frame(), packet.payload(), packet.payloadBytes()));
    return packet.frame();
  }
}
