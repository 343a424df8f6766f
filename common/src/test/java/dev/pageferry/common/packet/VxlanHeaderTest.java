package dev.pageferry.common.packet;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Golden bytes by RFC 7348, section 5. */
final class VxlanHeaderTest {
  @ParameterizedTest
  @CsvSource({"1, 0800000000000100", "16777215, 08000000ffffff00", "1193046, 0800000012345600",
      "8388608, 0800000080000000"})
  void aNetworkStandsInTheUpperThreeBytesOfTheSecondWord(int vni, String header) {
    assertThat(VxlanHeader.encode(vni)).isEqualTo(Long.parseUnsignedLong(header, 16));
    assertThat(VxlanHeader.vni(Long.parseUnsignedLong(header, 16))).isEqualTo(vni);
  }

  @Test
  void reservedBitsAreIgnored() {
    assertThat(VxlanHeader.vni(0xFFFFFFFF_123456FFL)).isEqualTo(0x123456);
    for (int bit = 0; bit < 64; bit++) {
      boolean isReserved = bit < 8 || (bit >= 32 && bit != 59);
      if (isReserved) {
        assertThat(VxlanHeader.vni(0x08000000_12345600L | 1L << bit)).as("bit %d", bit).isEqualTo(0x123456);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"0000000012345600", "f700000012345600", "00ffffff123456ff", "0008080812345608"})
  void withoutItsFlagThereIsNoNetwork(String header) {
    assertThat(VxlanHeader.vni(Long.parseUnsignedLong(header, 16))).isEqualTo(-1);
  }

  @Test
  void headersHaveEightBytesAndGoToThePortThatIsAssigned() {
    assertThat(VxlanHeader.BYTES).isEqualTo(8);
    assertThat(VxlanHeader.PORT).isEqualTo(4789);
  }
}
