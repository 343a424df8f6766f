package dev.pageferry.common.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class HostPortTest {
  @ParameterizedTest
  @CsvSource({"127.0.0.1:7070, 127.0.0.1, 7070", "host-a.example:0, host-a.example, 0", "[::1]:65535, ::1, 65535",
      "[fe80::1]:80, fe80::1, 80", "localhost:1, localhost, 1"})
  void anAddressIsReadAndWrittenAlike(String text, String host, int port) {
    HostPort address = HostPort.parse(text);

    assertThat(address).isEqualTo(new HostPort(host, port));
    assertThat(address).hasToString(text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "7070", "host", ":7070", "::1:7070", "[]:7070", "[::1]", "[::1:7070", "a:b:1"})
  void whatIsNotAHostAndAPortIsRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> HostPort.parse(text)).withMessageContaining(text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"h:-1", "h:65536", "h:", "h:http", "h:1.5", "h: 1", "h:99999999999"})
  void aPortThatIsNoneIsRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> HostPort.parse(text)).withMessageContaining("port");
  }

  @ParameterizedTest
  @CsvSource({"0.0.0.0:1, true", "[::]:1, true", "127.0.0.1:1, false", "[::1]:1, false", "localhost:1, false"})
  void wildcardsAreRecognised(String text, boolean wildcard) {
    assertThat(HostPort.parse(text).isWildcard()).isEqualTo(wildcard);
  }
}
