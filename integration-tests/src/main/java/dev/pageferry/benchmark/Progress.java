package dev.pageferry.benchmark;

import com.google.errorprone.annotations.FormatMethod;
import java.util.Locale;

/** Lines to stderr that tell what is being measured, with the seconds since the start. */
final class Progress {
  private final long startNanos = System.nanoTime();

  @FormatMethod
  void say(String format, Object... values) {
    double seconds = (System.nanoTime() - startNanos) / 1e9;
    System.err.printf(Locale.ROOT, "[%6.1f s] %s%n", seconds, String.format(Locale.ROOT, format, values));
  }
}
