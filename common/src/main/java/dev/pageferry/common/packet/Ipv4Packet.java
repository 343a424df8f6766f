package dev.pageferry.common.packet;

import java.util.Optional;

/**
 * An IPv4 packet in an Ethernet frame (RFC 791). Fragments are not put together, and count as none.
 *
 * @param payload offset in the frame
 * @param payloadBytes by the packet's own length, which may be less than the frame has
 */
public record Ipv4Packet(byte[] frame, int protocol, Ipv4Address source, Ipv4Address destination, int payload,
    int payloadBytes) {
  public static final int ICMP = 1;
  public static final int UDP = 17;
  /** Without options. */
  public static final int HEADER_BYTES = 20;

  private static final int START = EthernetFrame.HEADER_BYTES;
  private static final int TOTAL_LENGTH = START + 2;
  private static final int FRAGMENT = START + 6;
  private static final int TIME_TO_LIVE = START + 8;
  private static final int PROTOCOL = START + 9;
  private static final int CHECKSUM = START + 10;
  private static final int SOURCE = START + 12;
  private static final int DESTINATION = START + 16;
  private static final int VERSION_4 = 4;
  private static final int MORE_FRAGMENTS_OR_OFFSET = 0x3FFF;
  private static final int DO_NOT_FRAGMENT = 0x4000;
  private static final int DEFAULT_TIME_TO_LIVE = 64;

  /** The packet in a frame of EtherType 0800; empty if it is damaged, cut off or a fragment. */
  public static Optional<Ipv4Packet> of(byte[] frame) {
    if (frame.length < START + HEADER_BYTES || Bytes.u8(frame, START) >>> 4 != VERSION_4) {
      return Optional.empty();
    }
    int headerBytes = (Bytes.u8(frame, START) & 0xF) * 4;
    int totalBytes = Bytes.u16(frame, TOTAL_LENGTH);
    if (headerBytes < HEADER_BYTES || totalBytes < headerBytes || START + totalBytes > frame.length
        || InternetChecksum.of(frame, START, headerBytes) != 0
        || (Bytes.u16(frame, FRAGMENT) & MORE_FRAGMENTS_OR_OFFSET) != 0) {
      return Optional.empty();
    }
    return Optional.of(new Ipv4Packet(frame, Bytes.u8(frame, PROTOCOL), address(frame, SOURCE),
        address(frame, DESTINATION), START + headerBytes, totalBytes - headerBytes));
  }

  /** A frame with room for a payload of that length, its headers filled in. */
  static Ipv4Packet create(Endpoints endpoints, int protocol, int payloadBytes) {
    byte[] frame = EthernetFrame.of(endpoints.destinationMac(), endpoints.sourceMac(), EthernetFrame.TYPE_IPV4,
        HEADER_BYTES + payloadBytes);
    frame[START] = VERSION_4 << 4 | HEADER_BYTES / 4;
    Bytes.putU16(frame, TOTAL_LENGTH, HEADER_BYTES + payloadBytes);
    Bytes.putU16(frame, FRAGMENT, DO_NOT_FRAGMENT);
    frame[TIME_TO_LIVE] = DEFAULT_TIME_TO_LIVE;
    frame[PROTOCOL] = (byte) protocol;
    Bytes.putU32(frame, SOURCE, endpoints.source().bits() & 0xFFFF_FFFFL);
    Bytes.putU32(frame, DESTINATION, endpoints.destination().bits() & 0xFFFF_FFFFL);
    Bytes.putU16(frame, CHECKSUM, InternetChecksum.of(frame, START, HEADER_BYTES));
    return new Ipv4Packet(frame, protocol, endpoints.source(), endpoints.destination(), START + HEADER_BYTES,
        payloadBytes);
  }

  /** Whoever sent this, as whom to answer. */
  public Endpoints answering() {
    return new Endpoints(EthernetFrame.destination(frame), destination, EthernetFrame.source(frame), source);
  }

  private static Ipv4Address address(byte[] frame, int offset) {
    return new Ipv4Address((int) Bytes.u32(frame, offset));
  }
}
