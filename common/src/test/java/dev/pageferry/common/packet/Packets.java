package dev.pageferry.common.packet;

import java.util.Arrays;
import java.util.HexFormat;

/**
 * Bytes of packets for tests. The golden ones were computed by another program from the RFCs; checksums here are computed in
 * another way than the code under test does, byte by byte with the carry added at once.
 */
final class Packets {
  static final MacAddress MAC = MacAddress.parse("02:a1:b2:c3:d4:e5");
  static final MacAddress OTHER_MAC = MacAddress.parse("06:11:22:33:aa:bb");
  static final Ipv4Address ADDRESS = Ipv4Address.parse("10.1.2.3");
  static final Ipv4Address OTHER_ADDRESS = Ipv4Address.parse("192.168.77.254");
  /** From {@link #MAC} to {@link #OTHER_MAC}. */
  static final Endpoints ENDPOINTS = new Endpoints(MAC, ADDRESS, OTHER_MAC, OTHER_ADDRESS);

  /** ICMP echo request be ef 80 01 with four zeros. */
  static final String ECHO_REQUEST = "06112233aabb02a1b2c3d4e50800"
      + "4500002000004000400120330a010203c0a84dfe0800b90ebeef800100000000";
  static final String ECHO_REPLY = "02a1b2c3d4e506112233aabb0800"
      + "450000200000400040012033c0a84dfe0a0102030000c10ebeef800100000000";
  /** With four bytes of options, five of data, and three of padding behind the packet. */
  static final String ECHO_REQUEST_WITH_OPTIONS = "06112233aabb02a1b2c3d4e50800"
      + "46100025abcd00000301ee4f0a010203c0a84dfe01010100" + "080093ec123400076665727279" + "000000";
  static final String ECHO_REPLY_WITHOUT_OPTIONS = "02a1b2c3d4e506112233aabb0800"
      + "450000210000400040012032c0a84dfe0a0102030000" + "9bec123400076665727279";
  /** "hello" from port 40000 to port 7. */
  static final String DATAGRAM = "06112233aabb02a1b2c3d4e50800"
      + "4500002100004000401120220a010203c0a84dfe" + "9c400007000d051068656c6c6f";
  static final String DATAGRAM_REPLY = "02a1b2c3d4e506112233aabb0800"
      + "450000220000400040112021c0a84dfe0a010203" + "00079c40000e652d48454c4c4f21";
  static final String EMPTY_DATAGRAM = "06112233aabb02a1b2c3d4e50800"
      + "4500001c00004000401120270a010203c0a84dfe" + "0001ffff0008e532";
  /** Its data, 48 e8, make the checksum zero, which is sent as ff ff. */
  static final String DATAGRAM_WITH_A_SUM_OF_ZERO = "06112233aabb02a1b2c3d4e50800"
      + "4500001e00004000401120250a010203c0a84dfe" + "9c400007000affff48e8";
  static final String PADDING_OF_ARP = "00".repeat(18);
  static final String ARP_REQUEST = "ffffffffffff02a1b2c3d4e50806" + "0001080006040001"
      + "02a1b2c3d4e50a010203" + "000000000000c0a84dfe" + PADDING_OF_ARP;
  static final String ARP_REPLY = "02a1b2c3d4e506112233aabb0806" + "0001080006040002"
      + "06112233aabbc0a84dfe" + "02a1b2c3d4e50a010203" + PADDING_OF_ARP;
  static final String GRATUITOUS_ARP = "ffffffffffff02a1b2c3d4e50806" + "0001080006040001"
      + "02a1b2c3d4e50a010203" + "0000000000000a010203" + PADDING_OF_ARP;
  static final String REVERSE_ARP = "ffffffffffff02a1b2c3d4e58035" + "0001080006040003"
      + "02a1b2c3d4e500000000" + "02a1b2c3d4e500000000" + PADDING_OF_ARP;

  /** Offsets in a frame that holds an IPv4 packet without options. */
  static final int IP = 14;
  static final int PAYLOAD = IP + 20;

  private Packets() {
  }

  static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex);
  }

  static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  /** The frame with other bytes at an offset. */
  static byte[] with(String frame, int offset, String replacement) {
    byte[] changed = bytes(frame);
    byte[] other = bytes(replacement);
    System.arraycopy(other, 0, changed, offset, other.length);
    return changed;
  }

  /** The frame with a right IPv4 header checksum, where it has a header. */
  static byte[] withHeaderChecksum(byte[] frame) {
    int end = IP + (frame.length > IP ? (frame[IP] & 0xF) * 4 : 0);
    if (end < PAYLOAD || end > frame.length) {
      return frame;
    }
    return withChecksum(frame, IP + 10, IP, end, 0);
  }

  /** The frame with a right ICMP or UDP checksum, where its lengths allow one. */
  static byte[] withPayloadChecksum(byte[] frame) {
    if (frame.length < PAYLOAD) {
      return frame;
    }
    int start = IP + (frame[IP] & 0xF) * 4;
    int end = IP + u16(frame, IP + 2);
    if (end > frame.length || end < start + 8) {
      return frame;
    }
    if (frame[IP + 9] == 1) {
      return withChecksum(frame, start + 2, start, end, 0);
    }
    int udpEnd = start + u16(frame, start + 4);
    if (frame[IP + 9] != 17 || udpEnd > end || udpEnd < start + 8) {
      return frame;
    }
    int pseudoHeader = 17 + (udpEnd - start);
    for (int i = IP + 12; i < IP + 20; i += 2) {
      pseudoHeader += u16(frame, i);
    }
    return withChecksum(frame, start + 6, start, udpEnd, pseudoHeader);
  }

  /** The frame with 16 bits at an offset that make the words from one offset to another add up. */
  static byte[] withChecksum(byte[] frame, int at, int from, int to, int initial) {
    byte[] changed = frame.clone();
    changed[at] = 0;
    changed[at + 1] = 0;
    int sum = initial % 0xFFFF;
    for (int i = from; i < to; i++) {
      sum += (changed[i] & 0xFF) * ((i - from) % 2 == 0 ? 256 : 1);
      sum = sum > 0xFFFF ? sum - 0xFFFF : sum;
    }
    changed[at] = (byte) ((0xFFFF - sum) / 256);
    changed[at + 1] = (byte) ((0xFFFF - sum) % 256);
    return changed;
  }

  static int u16(byte[] bytes, int offset) {
    return (bytes[offset] & 0xFF) * 256 + (bytes[offset + 1] & 0xFF);
  }

  static byte[] cut(byte[] frame, int length) {
    return Arrays.copyOf(frame, length);
  }
}
