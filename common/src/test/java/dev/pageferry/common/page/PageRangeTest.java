package dev.pageferry.common.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class PageRangeTest {
  @Test
  void aRangeIsHalfOpen() {
    assertThat(PageRange.ofCount(3, 4)).isEqualTo(new PageRange(3, 7));
    assertThat(new PageRange(3, 7).count()).isEqualTo(4);
    assertThat(new PageRange(3, 3).count()).isZero();
  }

  @ParameterizedTest
  @CsvSource({"-1, 3", "3, 2", "0, -1"})
  void aRangeThatIsNoneIsRefused(long first, long end) {
    assertThatIllegalArgumentException().isThrownBy(() -> new PageRange(first, end))
        .withMessage("page range [%d, %d) is not valid", first, end);
  }

  @Test
  void aRangeThatOverflowsIsRefused() {
    assertThatExceptionOfType(ArithmeticException.class).isThrownBy(() -> PageRange.ofCount(2, Long.MAX_VALUE - 1));
    assertThatExceptionOfType(ArithmeticException.class).isThrownBy(() -> PageSize.bytesOf(1L << 51));
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "1, 1", "4096, 1", "4097, 2", "8192, 2", "9223372036854775807, 2251799813685248"})
  void pagesAreCountedUpwards(long bytes, long pages) {
    assertThat(PageSize.pagesFor(bytes)).isEqualTo(pages);
  }

  @Test
  void pagesAndBytesConvertBothWays() {
    assertThat(PageSize.bytesOf(262_144)).isEqualTo(1L << 30);
    assertThat(PageSize.BYTES).isEqualTo(4096);
  }
}
