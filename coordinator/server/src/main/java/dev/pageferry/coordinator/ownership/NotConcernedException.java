package dev.pageferry.coordinator.ownership;

import java.io.Serial;

/** A host asked about a row in a way that only another host may. Nothing was done. */
public final class NotConcernedException extends RuntimeException {
  @Serial
  private static final long serialVersionUID = 1L;

  NotConcernedException(String message, Object... values) {
    super(message.formatted(values));
  }

  @Override
  public String getMessage() {
    return String.valueOf(super.getMessage());
  }
}
