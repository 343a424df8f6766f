package dev.pageferry.benchmark;

import java.util.Locale;

/** What a target asks of a figure. */
record Goal(Kind kind, double bound) {
  enum Kind {
    MEDIAN_AT_LEAST,
    MEDIAN_AT_MOST,
    MAX_AT_MOST
  }

  static Goal medianAtLeast(double bound) {
    return new Goal(Kind.MEDIAN_AT_LEAST, bound);
  }

  static Goal medianAtMost(double bound) {
    return new Goal(Kind.MEDIAN_AT_MOST, bound);
  }

  static Goal maxAtMost(double bound) {
    return new Goal(Kind.MAX_AT_MOST, bound);
  }

  boolean met(Statistics statistics) {
    return switch (kind) {
      case MEDIAN_AT_LEAST -> statistics.median() >= bound;
      case MEDIAN_AT_MOST -> statistics.median() <= bound;
      case MAX_AT_MOST -> statistics.max() <= bound;
    };
  }

  String text() {
    String relation = switch (kind) {
      case MEDIAN_AT_LEAST -> "median ≥";
      case MEDIAN_AT_MOST -> "median ≤";
      case MAX_AT_MOST -> "max ≤";
    };
    return String.format(Locale.ROOT, "%s %s", relation, Metric.number(bound));
  }
}
