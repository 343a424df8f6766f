package dev.pageferry.benchmark;

import java.util.List;
import java.util.Locale;

/** Samples of one quantity in the order they were taken, and what the targets ask of them. */
record Metric(String name, String unit, List<Double> samples, List<Goal> goals) {
  static final String RATIO = "×";
  static final String GIGABYTES_PER_SECOND = "GB/s";
  static final String SECONDS = "s";
  static final String MILLISECONDS = "ms";

  Metric {
    samples = List.copyOf(samples);
    goals = List.copyOf(goals);
  }

  /**
   * What stands before the colon in the name, for metrics that belong together; empty without one.
   */
  String group() {
    return name.contains(": ") ? name.substring(0, name.indexOf(": ")) : "";
  }

  Statistics statistics() {
    return Statistics.of(samples);
  }

  /** Three digits or so, as they are read in a table. */
  static String number(double value) {
    double size = Math.abs(value);
    String form = size >= 100 || size == Math.rint(size) ? "%.0f" : size >= 10 ? "%.1f" : size >= 1 ? "%.2f" : "%.3f";
    return String.format(Locale.ROOT, form, value);
  }
}
