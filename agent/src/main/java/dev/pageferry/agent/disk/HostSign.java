package dev.pageferry.agent.disk;

import java.time.Duration;

/**
 * Whether another host lives, as the storage tells.
 *
 * @param reason for people
 * @param remaining of one that is waited for: how long its lease must not be renewed yet; else zero
 */
public record HostSign(Verdict verdict, String reason, Duration remaining) {
  HostSign(Verdict verdict, String reason) {
    this(verdict, reason, Duration.ZERO);
  }

  /** What can be said of one incarnation of a host. */
  public enum Verdict {
    UNKNOWN,
    /** Its lock is held. */
    LIVES,
    /** Its lock is free, and its lease is not waited out yet. */
    WAITING,
    /** It begins nothing on this storage any more that others do not see first. */
    GONE
  }
}
