package dev.pageferry.common.tls;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** What a member of a cluster is. */
public enum Role {
  HOST,
  COORDINATOR,
  OPERATOR,
  VIEWER,
  METRICS;

  /** As it is written in certificates, and said to people. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The role that is written so. */
  public static Optional<Role> of(String word) {
    return Arrays.stream(values()).filter(role -> role.word().equals(word)).findFirst();
  }
}
