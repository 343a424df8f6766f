package dev.pageferry.coordinator.history;

import java.util.List;

/**
 * Records that were found to have gone back in time.
 *
 * @param evidence what proves it, a line each; the first ones of each host or VM, no more than fit an operator's screen
 * @param sinceMillis when it was found, milliseconds since 1970-01-01 UTC
 */
public record Trouble(List<String> evidence, long sinceMillis) {
  private static final int MAX_EVIDENCE = 32;

  public Trouble {
    evidence = List.copyOf(evidence);
  }

  boolean knows(String line) {
    return evidence.contains(line) || evidence.size() >= MAX_EVIDENCE;
  }
}
