package dev.pageferry.common.identity;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReleaseTest {
  @ParameterizedTest
  @CsvSource({"0.2.0,0.2.0,SAME", "0.2.0,0.2.7,COMPATIBLE", "0.2.0,0.1.9,COMPATIBLE", "0.2.0,0.3.0-SNAPSHOT,COMPATIBLE",
      "0.2.0,0.4.0,INCOMPATIBLE", "0.9.0,1.0.0,INCOMPATIBLE", "dev,dev,SAME", "dev,0.2.0,UNKNOWN", "0.2.0,'',UNKNOWN",
      "0.2.0,99999999999.0.0,UNKNOWN"})
  void releasesThatAreOneMinorVersionApartWorkTogether(String one, String other, Release.Fit fit) {
    assertThat(Release.compare(one, other)).isEqualTo(fit);
    assertThat(Release.compare(other, one)).isEqualTo(fit);
  }
}
