package dev.pageferry.agent.disk;

import java.io.IOException;

/** A disk cannot be used as asked; the message says why, with its values. */
public class DiskException extends IOException {
  private static final long serialVersionUID = 1L;

  DiskException(String message) {
    super(message);
  }

  DiskException(String message, Throwable cause) {
    super(message, cause);
  }
}
