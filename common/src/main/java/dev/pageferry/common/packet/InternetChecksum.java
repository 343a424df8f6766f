package dev.pageferry.common.packet;

/** The checksum of IPv4, ICMP and UDP (RFC 1071). */
final class InternetChecksum {
  private InternetChecksum() {
  }

  /** The one's complement of the sum of 16-bit words; zero over bytes that hold their right checksum. */
  static int of(byte[] bytes, int offset, int length) {
    return fold(sum(bytes, offset, length));
  }

  static long sum(byte[] bytes, int offset, int length) {
    long sum = 0;
    int i = 0;
    for (; i + 1 < length; i += 2) {
      sum += Bytes.u16(bytes, offset + i);
    }
    return i < length ? sum + (Bytes.u8(bytes, offset + i) << 8) : sum;
  }

  static int fold(long sum) {
    long folded = sum;
    while (folded >>> 16 != 0) {
      folded = (folded & 0xFFFF) + (folded >>> 16);
    }
    return (int) ~folded & 0xFFFF;
  }
}
