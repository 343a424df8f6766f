package dev.pageferry.agent.disk;

/**
 * Whether another host lives, as the storage tells.
 *
 * @param reason for people
 */
public record HostSign(Verdict verdict, String reason) {
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
