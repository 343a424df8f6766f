package dev.pageferry.common.identity;

import java.util.regex.Pattern;

/** The one form that names and ids take, so that they can stand in file names, metrics and logs as they are. */
public final class Names {
  private static final Pattern FORM = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

  private Names() {
  }

  /**
   * Refuses a malformed name.
   *
   * @param what what the name is of, for the message
   * @throws IllegalArgumentException if the value is not 1 to 64 letters, digits, '.', '_' or '-', starting with a letter or a digit
   */
  public static String check(String what, String value) {
    if (!FORM.matcher(value).matches()) {
      throw new IllegalArgumentException(
          "%s '%s' is not 1 to 64 letters, digits, '.', '_' or '-' starting with a letter or digit"
              .formatted(what, abbreviate(value)));
    }
    return value;
  }

  private static String abbreviate(String value) {
    return value.length() <= 80 ? value : value.substring(0, 80) + "…";
  }
}
