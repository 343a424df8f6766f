package dev.pageferry.common.stage;

/** Bounds that all sides of a migration share. */
public final class MigrationLimits {
  /** Data streams of one migration; there is at least one. */
  public static final int MAX_STREAMS = 16;

  private MigrationLimits() {
  }
}
