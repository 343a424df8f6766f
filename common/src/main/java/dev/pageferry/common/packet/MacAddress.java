package dev.pageferry.common.packet;

import java.util.regex.Pattern;

/**
 * A 48-bit Ethernet address.
 *
 * @param bits the six bytes, the first one sent highest
 */
public record MacAddress(long bits) {
  public static final int BYTES = 6;
  public static final MacAddress BROADCAST = new MacAddress(0xFFFF_FFFF_FFFFL);
  public static final MacAddress ZERO = new MacAddress(0);
  private static final Pattern TEXT = Pattern.compile("[0-9A-Fa-f]{2}([:-])([0-9A-Fa-f]{2}\\1){4}[0-9A-Fa-f]{2}");
  private static final long GROUP_BIT = 1L << 40;

  public MacAddress {
    if (bits < 0 || bits > 0xFFFF_FFFF_FFFFL) {
      throw new IllegalArgumentException("%x has more than 48 bits".formatted(bits));
    }
  }

  /** @throws IllegalArgumentException if the text is not six bytes in hexadecimal, with colons or hyphens */
  public static MacAddress parse(String text) {
    if (!TEXT.matcher(text).matches()) {
      throw new IllegalArgumentException("'%s' is not a MAC address such as 02:00:00:00:00:01".formatted(text));
    }
    return new MacAddress(Long.parseLong(text.replaceAll("[:-]", ""), 16));
  }

  /** Reads an address at an offset. */
  static MacAddress at(byte[] bytes, int offset) {
    return new MacAddress((long) Bytes.u16(bytes, offset) << 32 | Bytes.u32(bytes, offset + 2));
  }

  void put(byte[] bytes, int offset) {
    Bytes.putU16(bytes, offset, (int) (bits >>> 32));
    Bytes.putU32(bytes, offset + 2, bits & 0xFFFF_FFFFL);
  }

  /** For several stations, or all; never the sender of a frame. */
  public boolean isGroup() {
    return (bits & GROUP_BIT) != 0;
  }

  /** Whether one station can have this address. */
  public boolean isStation() {
    return !isGroup() && bits != 0;
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder(17);
    for (int shift = 40; shift >= 0; shift -= 8) {
      text.append("%02x".formatted(bits >>> shift & 0xFF)).append(shift > 0 ? ":" : "");
    }
    return text.toString();
  }
}
