package dev.pageferry.common.units;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class UnitsTest {
  @ParameterizedTest
  @CsvSource({"0, 0", "1, 1", "4096, 4096", "7B, 7", "1kB, 1000", "1KiB, 1024", "100MB, 100000000", "1MiB, 1048576",
      "1.5GiB, 1610612736", "2GB, 2000000000", "1TB, 1000000000000", "2TiB, 2199023255552", "' 1 GiB ', 1073741824",
      "0.5KiB, 512", "9223372036854775807, 9223372036854775807"})
  void aSizeIsANumberAndAUnit(String text, long bytes) {
    assertThat(ByteSize.parse(text)).isEqualTo(bytes);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "GiB", "-1", "1gib", "1Kb", "1 000", "1e3", "1,5GiB", ".5GiB", "1.GiB", "1GiB/s",
      "0x10", "+1", "1 GiB x"})
  void whatIsNoSizeIsRefusedWithTheUnitsThereAre(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> ByteSize.parse(text))
        .withMessage("size '%s' is not a number with one of the units B kB MB GB TB KiB MiB GiB TiB", text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0.5B", "0.1KiB", "1.0001kB", "9223372036854775808", "8388608TiB", "99999999999999999999TiB"})
  void aSizeThatIsNotAWholeNumberOfBytesOrTooLargeIsRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> ByteSize.parse(text)).withMessageContaining(text)
        .withMessageContaining("whole number below 2^63");
  }

  @ParameterizedTest
  @CsvSource({"0, 0 B", "1023, 1023 B", "1024, 1 KiB", "1536, 1.5 KiB", "1073741824, 1 GiB", "1610612736, 1.5 GiB",
      "1099511627776, 1 TiB", "1125899906842624, 1024 TiB", "-1536, -1.5 KiB"})
  void aSizeIsShownInTheLargestUnitThereIsOneOf(long bytes, String text) {
    assertThat(ByteSize.format(bytes)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({"8bit/s, 1", "1kbit/s, 125", "1Mbit/s, 125000", "10Gbit/s, 1250000000", "1kB/s, 1000",
      "100MB/s, 100000000", "1.5GB/s, 1500000000", "1KiB/s, 1024", "64MiB/s, 67108864", "1GiB/s, 1073741824",
      "' 1 Gbit/s', 125000000"})
  void aRateIsANumberAndAUnitOfBitsOrBytes(String text, long bytesPerSecond) {
    assertThat(Bandwidth.parse(text)).isEqualTo(bytesPerSecond);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "100", "100MB", "1Gb/s", "1gbit/s", "1Gbps", "-1MB/s", "1TB/s", "MB/s", "1 MB / s"})
  void whatIsNoRateIsRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> Bandwidth.parse(text))
        .withMessageContaining("bandwidth '%s' is not a number with one of the units", text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0MB/s", "0bit/s", "7bit/s"})
  void aRateBelowOneBytePerSecondIsRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> Bandwidth.parse(text))
        .withMessage("bandwidth '%s' is less than one byte per second", text);
  }

  @ParameterizedTest
  @CsvSource({"2710000000, 2.71 GB/s", "1000000000, 1.00 GB/s", "100000000, 100 MB/s", "10000000, 10 MB/s",
      "1250000, 1.25 MB/s", "0, 0.00 MB/s"})
  void aRateIsShownInDecimalUnits(double bytesPerSecond, String text) {
    assertThat(Bandwidth.format(bytesPerSecond)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({"250us, PT0.00025S", "300ms, PT0.3S", "10s, PT10S", "1.5s, PT1.5S", "10min, PT10M", "2h, PT2H",
      "0s, PT0S", "' 5 min ', PT5M"})
  void aDurationIsANumberAndAUnit(String text, Duration duration) {
    assertThat(Durations.parse(text)).isEqualTo(duration);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "10", "s", "-1s", "10S", "10sec", "1h30min", "1d", "10 000ms"})
  void whatIsNoDurationIsRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> Durations.parse(text))
        .withMessage("duration '%s' is not a number with one of the units us ms s min h", text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"3000000h", "0.0001us"})
  void aDurationThatIsNotAWholeNumberOfNanosecondsBelowTheLimitIsRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> Durations.parse(text)).withMessageContaining(text);
  }

  @ParameterizedTest
  @CsvSource({"0.0031, 3.1 ms", "0, 0.0 ms", "2.4, 2.40 s", "119, 119.00 s", "120, 2 min 0 s", "250.9, 4 min 10 s"})
  void secondsAreShownAsPeopleSayThem(double seconds, String text) {
    assertThat(Durations.format(seconds)).isEqualTo(text);
  }
}
