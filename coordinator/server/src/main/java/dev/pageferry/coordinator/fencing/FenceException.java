package dev.pageferry.coordinator.fencing;

import java.io.Serial;

/** A fence agent did not do what it was asked for. The message is one line, and has no secret in it. */
public final class FenceException extends Exception {
  @Serial
  private static final long serialVersionUID = 1L;

  public FenceException(String message) {
    super(message);
  }

  @Override
  public String getMessage() {
    return String.valueOf(super.getMessage());
  }
}
