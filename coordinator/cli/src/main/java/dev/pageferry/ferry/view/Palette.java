package dev.pageferry.ferry.view;

import java.util.Map;

/**
 * Colors for the words that say how something is. Only those: a table must stay readable without
 * them.
 */
public final class Palette {
  private static final String RED = "\u001b[31m";
  private static final String GREEN = "\u001b[32m";
  private static final String YELLOW = "\u001b[33m";
  private static final String PLAIN = "\u001b[0m";
  private static final Map<String, String> COLORS = Map.ofEntries(Map.entry("UP", GREEN), Map.entry("RUNNING", GREEN),
      Map.entry("COMPLETED", GREEN), Map.entry("DRAINING", YELLOW), Map.entry("MAINTENANCE", YELLOW),
      Map.entry("PAUSED", YELLOW), Map.entry("MIGRATING", YELLOW), Map.entry("QUEUED", YELLOW),
      Map.entry("CANCELLED", YELLOW), Map.entry("UNKNOWN", YELLOW), Map.entry("DOWN", RED), Map.entry("FAILED", RED),
      Map.entry("IN_DOUBT", RED), Map.entry("PASS", GREEN), Map.entry("WARN", YELLOW), Map.entry("FAIL", RED));

  private final boolean colorful;

  public Palette(boolean colorful) {
    this.colorful = colorful;
  }

  public String paint(String word) {
    String color = colorful ? COLORS.get(word) : null;
    return color == null ? word : color + word + PLAIN;
  }
}
