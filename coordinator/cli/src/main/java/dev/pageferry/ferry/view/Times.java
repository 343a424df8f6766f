package dev.pageferry.ferry.view;

import java.time.Instant;
import java.time.temporal.ChronoUnit;

/** Points of time for people to read: UTC, to the second. */
public final class Times {
  private Times() {
  }

  /**
   * @param millis since 1970-01-01 UTC; 0: not known
   * @return such as 2026-03-01T14:05:09Z; empty: not known
   */
  public static String text(long millis) {
    return millis == 0 ? "" : Instant.ofEpochMilli(millis).truncatedTo(ChronoUnit.SECONDS).toString();
  }
}
