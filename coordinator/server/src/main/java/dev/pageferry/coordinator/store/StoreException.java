package dev.pageferry.coordinator.store;

import java.io.Serial;

/** The records cannot be read or written: a full disk, a lost mount. What was answered before is still true. */
public final class StoreException extends RuntimeException {
  @Serial
  private static final long serialVersionUID = 1L;

  StoreException(String what, Throwable cause) {
    super("%s: %s".formatted(what, cause.getMessage()), cause);
  }
}
