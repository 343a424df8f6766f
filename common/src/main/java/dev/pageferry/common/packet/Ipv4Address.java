package dev.pageferry.common.packet;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An IPv4 address.
 *
 * @param bits the four bytes, the first one sent highest
 */
public record Ipv4Address(int bits) {
  public static final Ipv4Address ANY = new Ipv4Address(0);
  private static final Pattern TEXT = Pattern.compile(
      "(0|[1-9]\\d{0,2})\\.(0|[1-9]\\d{0,2})\\.(0|[1-9]\\d{0,2})\\.(0|[1-9]\\d{0,2})");

  /** @throws IllegalArgumentException if the text is not four numbers up to 255, without leading zeros (octal for some) */
  public static Ipv4Address parse(String text) {
    Matcher parts = TEXT.matcher(text);
    long bits = 0;
    boolean valid = parts.matches();
    for (int i = 1; valid && i <= 4; i++) {
      int part = Integer.parseInt(parts.group(i));
      valid = part <= 255;
      bits = bits << 8 | part;
    }
    if (!valid) {
      throw new IllegalArgumentException("'%s' is not an IPv4 address such as 10.0.0.5".formatted(text));
    }
    return new Ipv4Address((int) bits);
  }

  /** Whether one host can have this address: not 0.x.x.x, loopback, multicast, reserved or broadcast (RFC 6890). */
  public boolean isHost() {
    int first = bits >>> 24;
    return first != 0 && first != 127 && first < 224;
  }

  @Override
  public String toString() {
    return "%d.%d.%d.%d".formatted(bits >>> 24, bits >>> 16 & 0xFF, bits >>> 8 & 0xFF, bits & 0xFF);
  }
}
