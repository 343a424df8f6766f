package dev.pageferry.coordinator.ownership;

import java.io.Serial;

/** No row changes now, because the records cannot be trusted. Whoever asked is to go on as it is, and to ask again. */
public final class RowsFrozenException extends RuntimeException {
  @Serial
  private static final long serialVersionUID = 1L;

  public RowsFrozenException(String message) {
    super(message);
  }
}
