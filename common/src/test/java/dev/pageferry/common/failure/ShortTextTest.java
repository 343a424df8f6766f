package dev.pageferry.common.failure;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ShortTextTest {
  @ParameterizedTest
  @ValueSource(strings = {"a", "\u00fc", "\u20ac"})
  void aLongTextKeepsItsBeginningAndItsEndAndFitsIntoAHeader(String character) {
    String shortened = ShortText.of("first " + character.repeat(9000) + " last");

    assertThat(shortened).startsWith("first ").contains(" … ").endsWith(" last");
    assertThat(3 * String.valueOf(shortened).getBytes(StandardCharsets.UTF_8).length).isLessThan(8000);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "no VM called web"})
  void aShortTextStays(String text) {
    assertThat(ShortText.of(text)).isSameAs(text);
  }
}
