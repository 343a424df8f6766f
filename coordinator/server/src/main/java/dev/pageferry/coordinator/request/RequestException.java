package dev.pageferry.coordinator.request;

import java.io.Serial;

/** A request that is not carried out. The message is one line: what, why, what to do. */
public final class RequestException extends Exception {
  @Serial
  private static final long serialVersionUID = 1L;

  /** What kind of no it is; each has an exit code of its own. */
  public enum Kind {
    /** The request itself is wrong. */
    INVALID,
    NOT_FOUND,
    EXISTS,
    /** A precondition does not hold. */
    REFUSED,
    /** Nothing changes now, and nothing was done: the same request may be carried out later. */
    FROZEN,
    /** It was tried and did not work; nothing was lost. */
    FAILED,
    /** The VM was lost with a host that died. */
    LOST,
    /** Whether it was done is not known yet. */
    IN_DOUBT
  }

  private final Kind kind;

  public RequestException(Kind kind, String message, Object... values) {
    super(message.formatted(values));
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }

  @Override
  public String getMessage() {
    return String.valueOf(super.getMessage());
  }
}
