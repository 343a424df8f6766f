package dev.pageferry.agent.guest;

/**
 * What a machine tells of itself, beside the reasons for which this host pauses it.
 *
 * @param reason for people; empty where there is nothing to say
 */
public record GuestCondition(Kind kind, String reason) {
  public static final GuestCondition FINE = new GuestCondition(Kind.FINE, "");

  /** What became of it. */
  public enum Kind {
    FINE,
    /** It stopped by itself and may go on, as after an I/O error. */
    HALTED,
    /** The guest switched itself off; only a boot brings it back. */
    POWERED_OFF,
    /** The guest crashed, or its machine ended; only a boot brings it back. */
    FAILED
  }

  /** Whether it can never run again without a boot. */
  public boolean isOver() {
    return kind == Kind.POWERED_OFF || kind == Kind.FAILED;
  }
}
