package dev.pageferry.common.config;

import java.util.List;

/** Settings that a program cannot start with. The message has a line per problem. */
public final class SettingsException extends Exception {
  private static final long serialVersionUID = 1L;

  SettingsException(List<String> problems) {
    super(String.join(System.lineSeparator(), problems));
  }
}
