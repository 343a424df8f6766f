package dev.pageferry.common.units;

import java.math.BigDecimal;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A number with a unit, read exactly. */
final class Quantity {
  private Quantity() {
  }

  /** The text's number times its unit's factor. */
  static long parse(String what, String text, Pattern form, Map<String, Long> factors, String units) {
    Matcher matcher = form.matcher(text.strip());
    Long factor = matcher.matches() ? factors.get(matcher.group(2)) : null;
    if (factor == null) {
      throw new IllegalArgumentException(
          "%s '%s' is not a number with one of the units %s".formatted(what, text, units));
    }
    try {
      return new BigDecimal(matcher.group(1)).multiply(BigDecimal.valueOf(factor)).longValueExact();
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "%s '%s' is not a whole number below 2^63 of the smallest unit".formatted(what, text), e);
    }
  }
}
