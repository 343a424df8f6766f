package dev.pageferry.common.units;

import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/** Durations as operators write them: {@code 300ms}, {@code 10s}, {@code 10min}, {@code 2h}. */
public final class Durations {
  private static final Pattern FORM = Pattern.compile("([0-9]+(?:\\.[0-9]+)?)\\s*([a-z]+)");
  private static final Map<String, Long> NANOS = Map.of("us", 1_000L, "ms", 1_000_000L, "s", 1_000_000_000L, "min",
      60_000_000_000L, "m", 60_000_000_000L, "h", 3_600_000_000_000L);

  private Durations() {
  }

  /** @throws IllegalArgumentException if the text is not a number and a unit */
  public static Duration parse(String text) {
    return Duration.ofNanos(Quantity.parse("duration", text, FORM, NANOS, "us ms s min h"));
  }

  /** Seconds for people: {@code 3.1 ms}, {@code 2.40 s}, {@code 4 min 10 s}. */
  public static String format(double seconds) {
    if (seconds < 1) {
      return String.format(Locale.ROOT, "%.1f ms", seconds * 1e3);
    }
    if (seconds < 120) {
      return String.format(Locale.ROOT, "%.2f s", seconds);
    }
    return String.format(Locale.ROOT, "%d min %d s", (long) seconds / 60, (long) seconds % 60);
  }
}
