package dev.pageferry.common.packet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class MacAddressTest {
  @ParameterizedTest
  @CsvSource({"02:00:00:00:00:01, 020000000001, 02:00:00:00:00:01",
      "FE-DC-BA-98-76-54, fedcba987654, fe:dc:ba:98:76:54",
      "aB:cD:eF:01:23:45, abcdef012345, ab:cd:ef:01:23:45", "00:00:00:00:00:00, 0, 00:00:00:00:00:00",
      "ff:ff:ff:ff:ff:ff, ffffffffffff, ff:ff:ff:ff:ff:ff"})
  void anAddressIsReadWithColonsOrHyphensAndWrittenWithColons(String text, String bits, String written) {
    MacAddress address = MacAddress.parse(text);

    assertThat(address.bits()).isEqualTo(Long.parseLong(bits, 16));
    assertThat(address).hasToString(written);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "02", "02:00:00:00:00", "02:00:00:00:00:01:02", "02:00:00-00:00:01", "02-00:00:00:00:01",
      "2:0:0:0:0:1", "020000000001", "0g:00:00:00:00:01", " 02:00:00:00:00:01", "02:00:00:00:00:01\n",
      "02.00.00.00.00.01", "02:00:00:00:00:", "０２:00:00:00:00:01"})
  void whatIsNotSixBytesIsRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> MacAddress.parse(text)).withMessageContaining(text);
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, 1L << 48, Long.MIN_VALUE, Long.MAX_VALUE})
  void aNumberOfMoreThan48BitsIsNoAddress(long bits) {
    assertThatIllegalArgumentException().isThrownBy(() -> new MacAddress(bits))
        .withMessageContaining(Long.toHexString(bits));
  }

  @ParameterizedTest
  @CsvSource({"02:00:00:00:00:01, false, true", "fe:ff:ff:ff:ff:ff, false, true", "00:00:00:00:00:01, false, true",
      "00:00:00:00:00:00, false, false", "01:00:00:00:00:00, true, false", "33:33:00:00:00:01, true, false",
      "ff:ff:ff:ff:ff:ff, true, false"})
  void theLowestBitOfTheFirstByteMakesAGroupAndZeroIsNobody(String text, boolean group, boolean station) {
    MacAddress address = MacAddress.parse(text);

    assertThat(address.isGroup()).isEqualTo(group);
    assertThat(address.isStation()).isEqualTo(station);
  }

  @Test
  void anAddressStandsInAFrameWithItsFirstByteFirst() {
    byte[] frame = Packets.bytes("1111" + "000000000000" + "2222");

    MacAddress.parse("fe:80:7f:01:ff:00").put(frame, 2);

    assertThat(Packets.hex(frame)).isEqualTo("1111fe807f01ff002222");
    assertThat(MacAddress.at(frame, 2)).hasToString("fe:80:7f:01:ff:00");
  }
}
