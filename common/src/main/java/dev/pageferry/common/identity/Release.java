package dev.pageferry.common.identity;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A release of Pageferry. Those of one minor version work together, and with those of the minor version before and after it, so that
 * a cluster is upgraded one program after the other.
 */
public record Release(int major, int minor, int patch) {
  private static final Pattern FORM = Pattern.compile("([0-9]{1,6})\\.([0-9]{1,6})\\.([0-9]{1,6})(?:[-+~].*)?");

  /** How two programs stand to each other. */
  public enum Fit {
    SAME,
    /** Different, and of the same major version and at most one minor version apart: they work together. */
    COMPATIBLE,
    INCOMPATIBLE,
    /** At least one is not a release. */
    UNKNOWN
  }

  /** From its text, such as {@code 0.2.0}; empty: it is not a release. */
  public static Optional<Release> parse(String text) {
    Matcher found = FORM.matcher(text);
    return found.matches()
        ? Optional.of(new Release(Integer.parseInt(found.group(1)), Integer.parseInt(found.group(2)),
            Integer.parseInt(found.group(3))))
        : Optional.empty();
  }

  /** Whether programs of two versions work together. */
  public static Fit compare(String one, String other) {
    if (one.equals(other)) {
      return Fit.SAME;
    }
    Optional<Release> a = parse(one);
    Optional<Release> b = parse(other);
    if (a.isEmpty() || b.isEmpty()) {
      return Fit.UNKNOWN;
    }
    boolean isNear = a.get().major() == b.get().major() && Math.abs(a.get().minor() - b.get().minor()) <= 1;
    return isNear ? Fit.COMPATIBLE : Fit.INCOMPATIBLE;
  }
}
