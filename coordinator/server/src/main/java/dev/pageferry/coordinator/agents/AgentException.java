package dev.pageferry.coordinator.agents;

import java.io.Serial;

/** An agent did not do what it was asked. */
public final class AgentException extends Exception {
  @Serial
  private static final long serialVersionUID = 1L;

  /** What kind of no it was. */
  public enum Kind {
    /** No answer; whether it acted is not known. */
    UNREACHABLE,
    NOT_FOUND,
    INVALID,
    EXISTS,
    REFUSED,
    /** Its version does not know what it was asked. */
    OLDER,
    FAILED
  }

  private final Kind kind;

  public AgentException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  public AgentException(Kind kind, String message, Throwable cause) {
    super(message, cause);
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
