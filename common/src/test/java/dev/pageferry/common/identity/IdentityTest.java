package dev.pageferry.common.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class IdentityTest {
  @ParameterizedTest
  @ValueSource(strings = {"a", "7", "web-1", "Host_A.rack-3", "x.",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})
  void aNameOfLettersDigitsDotsDashesAndUnderscoresIsTakenAsItIs(String name) {
    assertThat(Names.check("VM", name)).isEqualTo(name);
    assertThat(new VmId(name)).hasToString(name);
    assertThat(new HostId(name)).hasToString(name);
    assertThat(new MigrationId(name)).hasToString(name);
    assertThat(new Incarnation(name)).hasToString(name);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", ".", "..", "-a", "_a", "a b", "a/b", "../a", "a\n", "a\u0000", "ä", "a:b", "a*",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})
  void anythingThatCouldMeanSomethingElseInAFileNameIsRefused(String name) {
    assertThatIllegalArgumentException().isThrownBy(() -> Names.check("VM", name)).withMessageStartingWith("VM '");
    assertThatIllegalArgumentException().isThrownBy(() -> new VmId(name)).withMessageStartingWith("VmId '");
    assertThatIllegalArgumentException().isThrownBy(() -> new HostId(name)).withMessageStartingWith("HostId '");
    assertThatIllegalArgumentException().isThrownBy(() -> new MigrationId(name));
    assertThatIllegalArgumentException().isThrownBy(() -> new Incarnation(name));
  }

  @Test
  void aHugeNameIsNotRepeatedInTheMessage() {
    assertThatIllegalArgumentException().isThrownBy(() -> Names.check("VM", "x".repeat(1_000_000)))
        .satisfies(refusal -> assertThat(refusal.getMessage()).hasSizeLessThan(200).contains("…"));
  }

  @Test
  void epochsCountUpFromOne() {
    OwnershipEpoch first = new OwnershipEpoch(1);

    assertThat(first.next()).isEqualTo(new OwnershipEpoch(2)).isGreaterThan(first);
    assertThat(new OwnershipEpoch(10)).isGreaterThan(new OwnershipEpoch(9)).hasToString("10");
    assertThat(first).isEqualByComparingTo(new OwnershipEpoch(1));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1, Long.MIN_VALUE})
  void anEpochBelowOneIsRefused(long value) {
    assertThatIllegalArgumentException().isThrownBy(() -> new OwnershipEpoch(value))
        .withMessage("ownership epoch %d is not positive", value);
  }

  @Test
  void theLastEpochHasNoNextRatherThanAnOlderOne() {
    assertThatExceptionOfType(ArithmeticException.class).isThrownBy(() -> new OwnershipEpoch(Long.MAX_VALUE).next());
  }
}
