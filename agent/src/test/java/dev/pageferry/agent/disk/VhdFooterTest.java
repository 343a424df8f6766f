package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.HexFormat;
import java.util.UUID;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class VhdFooterTest {
  private static final long SIZE = 64L << 20;
  private static final VhdFooter FOOTER = new VhdFooter(SIZE,
      UUID.fromString("00112233-4455-6677-8899-aabbccddeeff"), Instant.parse("2026-01-02T03:04:05Z"));
  /** The first 85 bytes, field by field; the rest is zero. */
  private static final String GOLDEN = "636f6e6563746978" + "00000002" + "00010000" + "ffffffffffffffff" + "30e9f225"
      + "77696e20" + "000a0000" + "5769326b" + "0000000004000000" + "0000000004000000" + "03c30811" + "00000002"
      + "ffffe6c1" + "00112233445566778899aabbccddeeff" + "00";

  @Test
  void theBytesAreThoseOfTheSpecification() {
    ByteBuffer encoded = FOOTER.encode();
    assertThat(encoded.remaining()).isEqualTo(VhdFooter.BYTES);
    assertThat(HexFormat.of().formatHex(encoded.array(), 0, 85)).isEqualTo(GOLDEN);
    for (int i = 85; i < VhdFooter.BYTES; i++) {
      assertThat(encoded.get(i)).as("byte %d", i).isZero();
    }
  }

  @Test
  void whatWasEncodedIsDecoded() throws DiskException {
    assertThat(VhdFooter.decode(FOOTER.encode(), SIZE)).isEqualTo(FOOTER);
    VhdFooter last = new VhdFooter(512, new UUID(-1, -1), Instant.ofEpochSecond(946_684_800L + 0xffff_ffffL));
    assertThat(VhdFooter.decode(last.encode(), 512)).isEqualTo(last);
  }

  @Test
  void everyByteIsCoveredByTheChecksumOrCheckedItself() throws DiskException {
    for (int i = 0; i < VhdFooter.BYTES; i++) {
      ByteBuffer damaged = FOOTER.encode();
      damaged.put(i, (byte) (damaged.get(i) ^ 0x10));
      assertThatThrownBy(() -> VhdFooter.decode(damaged, SIZE)).as("byte %d", i).isInstanceOf(DiskException.class);
    }
  }

  @ParameterizedTest
  @CsvSource({"12, 00020000, VHD version 00020000", "60, 00000003, VHD type 3 is not fixed",
      "48, 0000000000000000, names 0 bytes", "48, 0000000004000200, names 67109376 bytes",
      "48, 0000000003ffff01, names 67108609 bytes", "48, ffffffffffffff00, names -256 bytes"})
  void aFooterThatCannotBeTrustedIsRefusedWithItsValues(int at, String hex, String message) {
    ByteBuffer footer = resummed(bytes -> bytes.put(at, HexFormat.of().parseHex(hex)));
    assertThatThrownBy(() -> VhdFooter.decode(footer, SIZE)).isInstanceOf(DiskException.class)
        .hasMessageContaining(message);
  }

  @Test
  void aFileThatIsLargerThanItsFooterSaysIsStillThatDisk() throws DiskException {
    assertThat(VhdFooter.decode(FOOTER.encode(), SIZE + 4096).sizeBytes()).isEqualTo(SIZE);
  }

  private static ByteBuffer resummed(Consumer<ByteBuffer> change) {
    ByteBuffer footer = FOOTER.encode();
    change.accept(footer);
    int sum = 0;
    for (int i = 0; i < VhdFooter.BYTES; i++) {
      sum += i >= 64 && i < 68 ? 0 : footer.get(i) & 0xff;
    }
    return footer.putInt(64, ~sum);
  }
}
