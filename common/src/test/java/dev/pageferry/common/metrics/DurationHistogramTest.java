package dev.pageferry.common.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class DurationHistogramTest {
  private final ServerMeters meters = new ServerMeters("1.2.3");

  @Test
  void aPauseOfMillisecondsIsInTheBucketsThatItFitsInto() {
    DurationHistogram pauses = DurationHistogram.ofBlackouts(meters.registry(), "ferry.pause.duration", "ferry.pause",
        "Pauses");
    pauses.record(0.038);
    pauses.record(0.003);

    for (String name : new String[]{"ferry_pause_duration_seconds", "ferry_pause_seconds"}) {
      assertThat(value(name + "_bucket{le=\"0.002\"}")).as(name).isZero();
      assertThat(value(name + "_bucket{le=\"0.005\"}")).as(name).isEqualTo(1);
      assertThat(value(name + "_bucket{le=\"0.02\"}")).as(name).isEqualTo(1);
      assertThat(value(name + "_bucket{le=\"0.05\"}")).as(name).isEqualTo(2);
      assertThat(value(name + "_bucket{le=\"+Inf\"}")).as(name).isEqualTo(2);
      assertThat(value(name + "_sum")).as(name).isEqualTo(0.041);
    }
  }

  @Test
  void aMigrationThatTookLongerThanAllBucketsIsCounted() {
    DurationHistogram moves = DurationHistogram.ofMigrations(meters.registry(), "ferry.move.duration", "ferry.move",
        "Moves");
    moves.record(0.25);
    moves.record(4000);

    assertThat(value("ferry_move_duration_seconds_bucket{le=\"0.1\"}")).isZero();
    assertThat(value("ferry_move_duration_seconds_bucket{le=\"0.3\"}")).isEqualTo(1);
    assertThat(value("ferry_move_duration_seconds_bucket{le=\"3600.0\"}")).isEqualTo(1);
    assertThat(value("ferry_move_duration_seconds_count")).isEqualTo(2);
  }

  @Test
  void aHistogramIsThereFromTheStartWithZero() {
    DurationHistogram unused = DurationHistogram.ofMigrations(meters.registry(), "ferry.move.duration", "ferry.move",
        "Moves");
    assertThat(value("ferry_move_duration_seconds_bucket{le=\"0.1\"}")).isZero();
    assertThat(meters.scrape()).contains("ferry_build_info{java=").contains("version=\"1.2.3\"");
  }

  private double value(String name) {
    return meters.scrape().lines().filter(line -> line.startsWith(name + " ")).findFirst()
        .map(line -> Double.parseDouble(line.substring(name.length() + 1)))
        .orElseThrow(() -> new AssertionError("no " + name + " in " + meters.scrape()));
  }
}
