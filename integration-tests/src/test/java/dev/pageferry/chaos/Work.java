package dev.pageferry.chaos;

/**
 * What an operator does beside the trouble.
 *
 * @param vm empty for a drain
 * @param host where to, or that is drained
 * @param millis until the second half of it: the cancel, the start, the activation
 */
record Work(Kind kind, String vm, String host, int millis) {
  enum Kind {
    LIVE(0),
    QUICK(0),
    CANCELLED(1_500),
    SAVE_AND_START(5_000),
    STOP_AND_START(3_000),
    DRAIN_AND_ACTIVATE(15_000);

    final int mostMillis;

    Kind(int mostMillis) {
      this.mostMillis = mostMillis;
    }
  }

  /** For a reader of the story. */
  String told() {
    return switch (kind) {
      case LIVE -> "%s is moved live to %s".formatted(vm, host);
      case QUICK -> "%s is moved quickly to %s".formatted(vm, host);
      case CANCELLED -> "%s is moved live to %s, and cancelled after %d ms".formatted(vm, host, millis);
      case SAVE_AND_START -> "%s is saved, and started on %s %.1f s later".formatted(vm, host, millis / 1000.0);
      case STOP_AND_START -> "%s is stopped, and started on %s %.1f s later".formatted(vm, host, millis / 1000.0);
      case DRAIN_AND_ACTIVATE -> "%s is drained, and activated %.1f s later".formatted(host, millis / 1000.0);
    };
  }
}
