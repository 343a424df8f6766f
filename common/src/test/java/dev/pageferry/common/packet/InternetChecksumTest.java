package dev.pageferry.common.packet;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class InternetChecksumTest {
  /** The first one is the example of RFC 1071, the second one a header of IPv4. */
  @ParameterizedTest
  @CsvSource({"0001f203f4f5f6f7, 220d", "45000073000040004011b861c0a80001c0a800c7, 0000",
      "45000073000040004011b862c0a80001c0a800c7, fffe", "450000730000400040110000c0a80001c0a800c7, b861", "'', ffff",
      "01, feff", "000001, feff", "ffff, 0000", "ffffffff, 0000", "ffff0001, fffe", "ff, 00ff", "fffe0001ff, 00ff"})
  void theSumOfWordsIsFoldedAndInverted(String data, String checksum) {
    byte[] bytes = Packets.bytes(data);

    assertThat(InternetChecksum.of(bytes, 0, bytes.length)).isEqualTo(Integer.parseInt(checksum, 16));
  }

  @ParameterizedTest
  @CsvSource({"abcd0001f203f4f5f6f7ee, 2, 8, 220d", "ab0001f203f4f5f6f7, 1, 8, 220d", "ffff01ff, 2, 1, feff"})
  void onlyTheBytesNamedCount(String data, int offset, int length, String checksum) {
    assertThat(InternetChecksum.of(Packets.bytes(data), offset, length)).isEqualTo(Integer.parseInt(checksum, 16));
  }

  @ParameterizedTest
  @CsvSource({"1500, ffff", "65534, ffff"})
  void carriesOfManyWordsAreNotLost(int length, String sum) {
    byte[] bytes = new byte[length];
    Arrays.fill(bytes, (byte) 0xFF);

    assertThat(InternetChecksum.of(bytes, 0, length)).isEqualTo(0xFFFF - Integer.parseInt(sum, 16));
  }
}
