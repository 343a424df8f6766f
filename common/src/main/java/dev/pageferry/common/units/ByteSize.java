package dev.pageferry.common.units;

import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/** Byte sizes as operators write them: {@code 1GiB}, {@code 512MiB}, {@code 100MB}, or plain bytes. */
public final class ByteSize {
  private static final Pattern FORM = Pattern.compile("([0-9]+(?:\\.[0-9]+)?)\\s*([A-Za-z]*)");
  private static final Map<String, Long> UNITS = Map.of("", 1L, "B", 1L, "kB", 1_000L, "MB", 1_000_000L, "GB",
      1_000_000_000L, "TB", 1_000_000_000_000L, "KiB", 1L << 10, "MiB", 1L << 20, "GiB", 1L << 30, "TiB", 1L << 40);
  private static final String[] BINARY = {"B", "KiB", "MiB", "GiB", "TiB"};

  private ByteSize() {
  }

  /**
   * Bytes that the text names.
   *
   * @throws IllegalArgumentException if it is not a number and a unit, or is not a whole number of bytes below 2^63
   */
  public static long parse(String text) {
    return Quantity.parse("size", text, FORM, UNITS, "B kB MB GB TB KiB MiB GiB TiB");
  }

  /** The size in the largest binary unit of which there is at least one, such as {@code 1.5 GiB}. */
  public static String format(long bytes) {
    double value = bytes;
    int unit = 0;
    while (Math.abs(value) >= 1024 && unit < BINARY.length - 1) {
      value /= 1024;
      unit++;
    }
    String digits = unit == 0 || value == Math.rint(value) ? "%.0f" : "%.1f";
    return String.format(Locale.ROOT, digits + " %s", value, BINARY[unit]);
  }

}
