package dev.pageferry.common.units;

import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/** Data rates as operators write them: {@code 1Gbit/s}, {@code 100MB/s}, {@code 64MiB/s}. A bare number is refused. */
public final class Bandwidth {
  private static final Pattern FORM = Pattern.compile("([0-9]+(?:\\.[0-9]+)?)\\s*([A-Za-z]+/s)");
  private static final Map<String, Long> BITS = Map.of("bit/s", 1L, "kbit/s", 1_000L, "Mbit/s", 1_000_000L, "Gbit/s",
      1_000_000_000L, "kB/s", 8_000L, "MB/s", 8_000_000L, "GB/s", 8_000_000_000L, "KiB/s", 8L << 10, "MiB/s", 8L << 20,
      "GiB/s", 8L << 30);

  private Bandwidth() {
  }

  /**
   * Bytes per second that the text names.
   *
   * @throws IllegalArgumentException if it is not a number and a unit, or less than one byte per second
   */
  public static long parse(String text) {
    long bits = Quantity.parse("bandwidth", text, FORM, BITS, "kbit/s Mbit/s Gbit/s kB/s MB/s GB/s KiB/s MiB/s GiB/s");
    if (bits < 8) {
      throw new IllegalArgumentException("bandwidth '%s' is less than one byte per second".formatted(text));
    }
    return bits / 8;
  }

  /** The rate in decimal megabytes or gigabytes, such as {@code 2.71 GB/s}. */
  public static String format(double bytesPerSecond) {
    if (bytesPerSecond >= 1e9) {
      return String.format(Locale.ROOT, "%.2f GB/s", bytesPerSecond / 1e9);
    }
    return String.format(Locale.ROOT, bytesPerSecond >= 1e7 ? "%.0f MB/s" : "%.2f MB/s", bytesPerSecond / 1e6);
  }
}
