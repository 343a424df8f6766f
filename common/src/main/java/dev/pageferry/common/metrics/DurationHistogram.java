package dev.pageferry.common.metrics;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * A histogram of durations in seconds. Under the name that it had in the version before, too, which this version still has.
 *
 * <p>A {@link Timer}, which counts nanoseconds: Micrometer's distribution summaries round up to whole numbers before they look for
 * the bucket, so that all below a second would be in one.
 */
public final class DurationHistogram {
  private static final Duration[] BLACKOUT_BUCKETS = IntStream.of(1, 2, 5, 10, 20, 50, 100, 200, 300, 500, 1000, 2000,
      5000, 10_000).mapToObj(Duration::ofMillis).toArray(Duration[]::new);
  private static final Duration[] MIGRATION_BUCKETS = LongStream.of(100, 300, 1000, 3000, 10_000, 30_000, 100_000,
      300_000, 1_000_000, 3_600_000).mapToObj(Duration::ofMillis).toArray(Duration[]::new);

  private final List<Timer> timers;

  private DurationHistogram(List<Timer> timers) {
    this.timers = timers;
  }

  /**
   * Of pauses: buckets from 1 ms to 10 s.
   *
   * @param name in Micrometer's form, without the unit: {@code ferry.migration.blackout.duration}
   * @param oldName that of the version before
   */
  public static DurationHistogram ofBlackouts(MeterRegistry registry, String name, String oldName, String description) {
    return of(registry, BLACKOUT_BUCKETS, name, oldName, description);
  }

  /** Of whole migrations: buckets from 0.1 s to an hour; see {@link #ofBlackouts}. */
  public static DurationHistogram ofMigrations(MeterRegistry registry, String name, String oldName,
      String description) {
    return of(registry, MIGRATION_BUCKETS, name, oldName, description);
  }

  private static DurationHistogram of(MeterRegistry registry, Duration[] buckets, String name, String oldName,
      String description) {
    String deprecated = "Deprecated: %s_seconds".formatted(name.replace('.', '_'));
    return new DurationHistogram(List.of(timer(registry, buckets, name, description),
        timer(registry, buckets, oldName, deprecated)));
  }

  private static Timer timer(MeterRegistry registry, Duration[] buckets, String name, String description) {
    return Timer.builder(name).serviceLevelObjectives(buckets).description(description).register(registry);
  }

  public void record(double seconds) {
    Duration duration = Duration.ofNanos(Math.round(seconds * 1e9));
    timers.forEach(each -> each.record(duration));
  }
}
