package dev.pageferry.chaos;

/**
 * What befalls one part of the lab, and for how long.
 *
 * @param target a host, {@code coordinator} or {@code storage}
 * @param card whose cable is cut; empty: none
 * @param millis until it is healed; 0: there is nothing to heal
 */
record Trouble(Kind kind, String target, String card, int millis) {
  static final String COORDINATOR = "coordinator";
  static final String STORAGE = "storage";

  /** @param leastMillis of how long it lasts, @param mostMillis of the same */
  enum Kind {
    KILL_AGENT("the agent of %s is killed", 200, 20_000),
    KILL_HOST("%s loses its power", 2_000, 25_000),
    KILL_QEMU("QEMUs are killed, on %s first", 0, 0),
    FREEZE_AGENT("the agent of %s is frozen", 500, 20_000),
    FREEZE_COORDINATOR("the %s is frozen", 500, 15_000),
    KILL_COORDINATOR("the %s is killed", 200, 10_000),
    CUT("the cable of %s is pulled", 1_000, 25_000),
    CUT_IN("nothing reaches %s any more", 1_000, 25_000),
    CUT_OUT("nothing leaves %s any more", 1_000, 25_000),
    FULL_DISK("the %s is full", 3_000, 15_000),
    SLOW_DISK("the %s is slow", 3_000, 8_000),
    STALLED_DISK("the %s stalls", 1_000, 5_000);

    private final String text;
    final int leastMillis;
    final int mostMillis;

    Kind(String text, int leastMillis, int mostMillis) {
      this.text = text;
      this.leastMillis = leastMillis;
      this.mostMillis = mostMillis;
    }

    boolean isOfCoordinator() {
      return this == FREEZE_COORDINATOR || this == KILL_COORDINATOR;
    }

    boolean isOfStorage() {
      return this == FULL_DISK || this == SLOW_DISK || this == STALLED_DISK;
    }

    boolean isOfCard() {
      return this == CUT || this == CUT_IN || this == CUT_OUT;
    }
  }

  /** For a reader of the story. */
  String told() {
    String what = kind.text.formatted(target) + (card.isEmpty() ? "" : " (" + card + ")");
    return millis == 0 ? what : "%s, for %.1f s".formatted(what, millis / 1000.0);
  }
}
