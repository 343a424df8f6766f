package dev.pageferry.agent.savedstate;

import java.io.IOException;

/** A file is no saved state, or a damaged one; the message says where and what, with its values. */
public final class SavedStateException extends IOException {
  private static final long serialVersionUID = 1L;

  SavedStateException(String message, Object... values) {
    super(message.formatted(values));
  }
}
