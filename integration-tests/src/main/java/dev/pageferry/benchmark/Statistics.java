package dev.pageferry.benchmark;

import java.util.List;

/** Median, minimum and maximum of a few samples; with a machine's noise a mean would say less. */
record Statistics(double median, double min, double max) {
  static Statistics of(List<Double> samples) {
    if (samples.isEmpty()) {
      throw new IllegalArgumentException("no samples");
    }
    List<Double> sorted = samples.stream().sorted().toList();
    int middle = sorted.size() / 2;
    double median = sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    return new Statistics(median, sorted.getFirst(), sorted.getLast());
  }
}
