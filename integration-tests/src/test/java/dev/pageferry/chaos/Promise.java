package dev.pageferry.chaos;

import java.util.ArrayList;
import java.util.List;

/**
 * What was promised, and whether it was kept.
 *
 * @param evidence what was looked at; nothing that was looked at keeps no promise
 * @param broken how it was broken
 */
record Promise(String promised, String evidence, List<String> broken) {
  Promise {
    broken = List.copyOf(broken);
  }

  /** One for which there must have been something to look at. */
  static Promise of(String promised, long lookedAt, String unit, List<String> broken) {
    List<String> all = new ArrayList<>(broken);
    if (lookedAt <= 0) {
      all.add("nothing was looked at: no " + unit);
    }
    return new Promise(promised, "%,d %s".formatted(lookedAt, unit), all);
  }

  boolean isKept() {
    return broken.isEmpty();
  }

  List<String> lines() {
    List<String> lines = new ArrayList<>();
    lines.add("%-72s %-8s %s".formatted(promised, isKept() ? "kept" : "BROKEN", evidence));
    broken.forEach(each -> lines.add("    " + each));
    return lines;
  }
}
