package dev.pageferry.common.migration;

/** Bounds that all sides of a migration share. */
public final class MigrationLimits {
  /** Data streams of one migration; there is at least one. */
  public static final int MAX_STREAMS = 16;

  /**
   * Rounds of one migration. A source ends long before: after 30 rounds it only goes on to throttle the guest, in 12 steps, and
   * for switchovers that were put off, two rounds each.
   */
  public static final int MAX_ROUNDS = 256;

  private MigrationLimits() {
  }
}
