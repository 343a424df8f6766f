package dev.pageferry.agent.guest.builtin;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ZipfDistributionTest {
  private static final int SAMPLES = 200_000;

  @ParameterizedTest
  @CsvSource({"10, 0.5", "50, 0.99", "50, 1.0", "100, 1.5", "20, 3", "2, 0.99"})
  void ranksComeAsOftenAsTheLawSays(int n, double theta) {
    long[] counts = counts(n, theta, 42);
    double normalizer = 0;
    for (int rank = 1; rank <= n; rank++) {
      normalizer += Math.pow(rank, -theta);
    }
    double chiSquare = 0;
    for (int rank = 1; rank <= n; rank++) {
      double expected = SAMPLES * Math.pow(rank, -theta) / normalizer;
      chiSquare += (counts[rank] - expected) * (counts[rank] - expected) / expected;
    }

    // Mean n - 1, standard deviation sqrt(2(n - 1)): five of them above the mean is far beyond chance.
    assertThat(chiSquare).isLessThan(n - 1 + 5 * Math.sqrt(2.0 * (n - 1)));
  }

  @Test
  void anotherExponentWouldBeNoticed() {
    long[] counts = counts(50, 0.9, 42);
    double normalizer = 0;
    for (int rank = 1; rank <= 50; rank++) {
      normalizer += Math.pow(rank, -0.99);
    }
    double chiSquare = 0;
    for (int rank = 1; rank <= 50; rank++) {
      double expected = SAMPLES * Math.pow(rank, -0.99) / normalizer;
      chiSquare += (counts[rank] - expected) * (counts[rank] - expected) / expected;
    }

    assertThat(chiSquare).isGreaterThan(49 + 5 * Math.sqrt(98));
  }

  @Test
  void aSetOfOneHasOneRank() {
    assertThat(counts(1, 0.99, 7)[1]).isEqualTo(SAMPLES);
  }

  @Test
  void ranksStayInRangeInALargeSetAndReachItsTail() {
    long n = 1L << 31;
    ZipfDistribution ranks = new ZipfDistribution(n, 0.99);
    long largest = 0;
    for (long i = 0; i < SAMPLES; i++) {
      long rank = ranks.sample(SplitMix64.mix(i));
      assertThat(rank).isBetween(1L, n);
      largest = Math.max(largest, rank);
    }
    assertThat(largest).isGreaterThan(n / 2);
  }

  @Test
  void theSameNumberGivesTheSameRank() {
    ZipfDistribution one = new ZipfDistribution(1000, 0.99);
    ZipfDistribution other = new ZipfDistribution(1000, 0.99);
    for (long i = 0; i < 1000; i++) {
      assertThat(one.sample(i)).isEqualTo(other.sample(i));
    }
  }

  private static long[] counts(int n, double theta, long seed) {
    ZipfDistribution ranks = new ZipfDistribution(n, theta);
    long[] counts = new long[n + 1];
    for (int i = 0; i < SAMPLES; i++) {
      counts[Math.toIntExact(ranks.sample(SplitMix64.mix(seed + i * SplitMix64.GAMMA)))]++;
    }
    return counts;
  }
}
