package dev.pageferry.agent.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Random;
import java.util.function.IntUnaryOperator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Checksums and hashes of pages, against values that this code did not compute. */
final class PageChecksumTest {
  @Test
  void theReferenceOfTheseTestsAgreesWithRfc3720() {
    assertThat(bitwiseCrc32c(new byte[32])).isEqualTo(0x8A9136AA);
    assertThat(bitwiseCrc32c("123456789".getBytes(StandardCharsets.US_ASCII))).isEqualTo(0xE3069283);
  }

  @Test
  void thePageOfZerosHasItsOwnChecksum() {
    assertThat(PageChecksum.OF_ZERO_PAGE).isEqualTo(bitwiseCrc32c(new byte[4096]));
  }

  @Test
  void aChecksumIsTheCrc32cOfThePageAtItsOffset() {
    byte[] bytes = new byte[3 * 4096 + 10];
    new Random(3).nextBytes(bytes);
    ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length).put(bytes);
    PageChecksum checksum = new PageChecksum();
    for (int offset : new int[]{0, 10, 4096, 2 * 4096 + 10, 0}) {
      byte[] page = new byte[4096];
      System.arraycopy(bytes, offset, page, 0, 4096);
      assertThat(checksum.of(buffer, offset)).as("offset %d", offset).isEqualTo(bitwiseCrc32c(page));
    }
  }

  /** Computed with xxhsum -H64 (xxHash 0.8). */
  @ParameterizedTest
  @CsvSource({"zeros, ac869b6f32d8bbdb", "ones, 10af2cb94282321f", "modulo251, 122a8c8d994ad3ec",
      "squares, d08081adbf89bcb4"})
  void aHashIsTheXxh64OfThePage(String contents, String expected) throws Exception {
    IntUnaryOperator byteAt = switch (contents) {
      case "zeros" -> i -> 0;
      case "ones" -> i -> 0xFF;
      case "modulo251" -> i -> i % 251;
      default -> i -> i * i * 31 + 7 * i + 5;
    };
    try (PageStore ram = PageStore.allocate(3 * 4096)) {
      ByteBuffer page = ram.window(1, 1);
      for (int i = 0; i < 4096; i++) {
        page.put(i, (byte) byteAt.applyAsInt(i));
      }
      assertThat(HexFormat.of().toHexDigits(ram.hash(1))).isEqualTo(expected);
      assertThat(HexFormat.of().toHexDigits(ram.hash(2))).isEqualTo("ac869b6f32d8bbdb");
    }
  }

  @Test
  void aTableOfZeroPagesHasTheDigestZero() {
    ChecksumTable table = new ChecksumTable(100);

    assertThat(table.digest()).isZero();
    assertThat(table.get(99)).isEqualTo(PageChecksum.OF_ZERO_PAGE);
  }

  @Test
  void theDigestDoesNotDependOnTheOrderOrOnWhatWasThereBetween() {
    ChecksumTable one = new ChecksumTable(100);
    ChecksumTable other = new ChecksumTable(100);
    for (int page = 0; page < 100; page++) {
      one.set(page, page * 31);
    }
    for (int page = 99; page >= 0; page--) {
      other.set(page, 12345);
      other.set(page, page * 31);
      other.set(page, page * 31);
    }

    assertThat(other.digest()).isEqualTo(one.digest()).isNotZero();
    assertThat(other.get(7)).isEqualTo(7 * 31);
  }

  @Test
  void aTableThatIsZeroPagesAgainHasTheDigestZeroAgain() {
    ChecksumTable table = new ChecksumTable(100);
    table.set(3, 77);
    table.set(99, -1);
    table.set(3, PageChecksum.OF_ZERO_PAGE);
    assertThat(table.digest()).isNotZero();

    table.set(99, PageChecksum.OF_ZERO_PAGE);

    assertThat(table.digest()).isZero();
  }

  @Test
  void everySingleChangeAndEverySwapOfPagesChangesTheDigest() {
    ChecksumTable swapped = new ChecksumTable(2);
    ChecksumTable straight = new ChecksumTable(2);
    straight.set(0, 1);
    straight.set(1, 2);
    swapped.set(0, 2);
    swapped.set(1, 1);
    assertThat(swapped.digest()).isNotEqualTo(straight.digest());

    long different = LongStream.range(0, 1000).map(page -> {
      ChecksumTable table = new ChecksumTable(1000);
      table.set(page, 1);
      return table.digest();
    }).distinct().count();
    assertThat(different).isEqualTo(1000);
  }

  @Test
  void aTableHasOnlyThePagesItWasMadeFor() {
    ChecksumTable table = new ChecksumTable(10);

    assertThatThrownBy(() -> table.set(10, 1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> table.get(-1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThat(table.digest()).isZero();
  }

  /** CRC32C one bit at a time: reflected polynomial 0x82F63B78, all ones before and after. */
  private static int bitwiseCrc32c(byte[] bytes) {
    int crc = -1;
    for (byte each : bytes) {
      crc ^= each & 0xFF;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc & 1) == 0 ? crc >>> 1 : crc >>> 1 ^ 0x82F63B78;
      }
    }
    return ~crc;
  }
}
