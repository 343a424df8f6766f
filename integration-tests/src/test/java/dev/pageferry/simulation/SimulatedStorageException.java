package dev.pageferry.simulation;

import java.io.IOException;
import java.io.Serial;

/** The storage did not do what it was asked for, as far as is known. */
final class SimulatedStorageException extends IOException {
  @Serial
  private static final long serialVersionUID = 1L;

  SimulatedStorageException(String reason) {
    super(reason);
  }
}
