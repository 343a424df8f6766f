package dev.pageferry.common.packet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class Ipv4AddressTest {
  @ParameterizedTest
  @CsvSource({"10.0.0.5, 0a000005", "0.0.0.0, 00000000", "255.255.255.255, ffffffff", "192.168.77.254, c0a84dfe",
      "1.2.3.4, 01020304", "128.0.0.1, 80000001"})
  void anAddressIsReadAndWrittenAlike(String text, String bits) {
    Ipv4Address address = Ipv4Address.parse(text);

    assertThat(address.bits()).isEqualTo(Integer.parseUnsignedInt(bits, 16));
    assertThat(address).hasToString(text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "10", "10.0.0", "10.0.0.", "10.0.0.0.1", "256.0.0.1", "10.0.0.256", "10.0.0.1000",
      "-1.0.0.1", "10.0.0.a", " 10.0.0.1", "10.0.0.1\n", "10,0,0,1", "0x0a.0.0.1", "::1", "99999999999.0.0.1",
      "１0.0.0.1"})
  void whatIsNotFourNumbersUpTo255IsRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> Ipv4Address.parse(text)).withMessageContaining(text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"1.0.0.0", "10.0.0.5", "126.255.255.255", "128.0.0.1", "192.168.1.1", "223.255.255.255"})
  void anAddressOfOneHostIsKnown(String text) {
    assertThat(Ipv4Address.parse(text).isHost()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.255.255.255",
      "240.0.0.1", "255.255.255.255"})
  void nowhereLoopbackMulticastAndReservedAddressesAreNoHosts(String text) {
    assertThat(Ipv4Address.parse(text).isHost()).isFalse();
  }
}
