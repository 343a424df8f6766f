package dev.pageferry.common.config;

import java.util.Collection;
import java.util.Comparator;

/** Which name was meant. */
final class Spelling {
  private Spelling() {
  }

  /** The name that differs least; empty: there are none. */
  static String nearest(String key, Collection<String> names) {
    return names.stream().min(Comparator.comparingInt(name -> editDistance(key, name))).orElse("");
  }

  /** Levenshtein's distance: insertions, deletions and substitutions between two names. */
  static int editDistance(String from, String to) {
    int[] row = new int[to.length() + 1];
    for (int j = 0; j < row.length; j++) {
      row[j] = j;
    }
    for (int i = 1; i <= from.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j < row.length; j++) {
        int substituted = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(substituted, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row[to.length()];
  }
}
