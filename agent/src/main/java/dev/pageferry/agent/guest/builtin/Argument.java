package dev.pageferry.agent.guest.builtin;

import java.util.Map;
import java.util.function.Function;

/**
 * An argument of guest programs.
 *
 * @param name as operators write it
 * @param byDefault what it is where it is not given, as operators would write it
 * @param parser throws {@link IllegalArgumentException}, which names the argument and its text, where it cannot be that
 */
record Argument<T>(String name, String byDefault, Function<String, T> parser) {
  /**
   * Its value.
   *
   * @param given all arguments that are given, by their names
   * @throws IllegalArgumentException naming what is wrong with it
   */
  T of(Map<String, String> given) {
    return parser.apply(given.getOrDefault(name, byDefault));
  }

  static Argument<Long> wholeNumber(String name, String byDefault) {
    return new Argument<>(name, byDefault, text -> wholeNumberOf(name, text));
  }

  /** @throws IllegalArgumentException if the text is not one, or does not fit 64 bits */
  static long wholeNumberOf(String name, String text) {
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("%s '%s' is not a whole number".formatted(name, text), e);
    }
  }
}
