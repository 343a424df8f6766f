package dev.pageferry.chaos;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/** Tells what happens as it happens, on standard output and in a file, and counts it. */
final class Story {
  private final PrintStream file;
  private final long startNanos = System.nanoTime();
  private final Map<String, Long> counts = new TreeMap<>();

  Story(Path file) {
    try {
      this.file = new PrintStream(Files.newOutputStream(file), true, StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  long millis() {
    return (System.nanoTime() - startNanos) / 1_000_000;
  }

  void tell(String text) {
    long now = millis();
    print("%02d:%02d.%d  %s".formatted(now / 60_000, now / 1000 % 60, now / 100 % 10, text));
  }

  synchronized void print(String line) {
    System.out.println(line);
    // A file or a pipe would have it some kilobytes later.
    System.out.flush();
    file.println(line);
  }

  synchronized void count(String what) {
    counts.merge(what, 1L, Long::sum);
  }

  synchronized Map<String, Long> counts() {
    return new TreeMap<>(counts);
  }
}
