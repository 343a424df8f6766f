package dev.pageferry.coordinator.inventory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Hosts that stop again and again. */
class HostStopsTest {
  private static final HostId HOST = new HostId("host-a");
  private static final long MINUTE = Duration.ofMinutes(1).toMillis();
  private static final long START = Instant.parse("2026-03-01T14:00:00Z").toEpochMilli();

  @TempDir
  Path directory;

  private RecordStore store;
  private HostStops stops;

  @BeforeEach
  void open() throws Exception {
    store = SqliteRecordStore.open(directory);
    stops = new HostStops(store);
  }

  @AfterEach
  void close() throws Exception {
    store.close();
  }

  private void stop(int life, long minutes) {
    stops.note(HOST, new Incarnation("life-" + life), START + minutes * MINUTE);
  }

  @Test
  void theThirdStopWithinAnHourQuarantinesForTwoHours() {
    stop(1, 0);
    stop(2, 20);
    assertThat(stops.quarantinedUntil(HOST)).isEmpty();
    stop(3, 59);
    assertThat(stops.quarantinedUntil(HOST)).contains(Instant.parse("2026-03-01T16:59:00Z"));
    stops.expire(START + 178 * MINUTE);
    assertThat(stops.quarantinedUntil(HOST)).isPresent();
    stops.expire(START + 179 * MINUTE);
    assertThat(stops.quarantinedUntil(HOST)).isEmpty();
  }

  @Test
  void oneStopCountsOnceHoweverManyVmsItLeft() {
    stop(1, 0);
    stop(1, 1);
    stop(1, 2);
    assertThat(stops.quarantinedUntil(HOST)).isEmpty();
  }

  @Test
  void stopsOfLongAgoDoNotCount() {
    stop(1, 0);
    stop(2, 50);
    stop(3, 100);
    stop(4, 150);
    assertThat(stops.quarantinedUntil(HOST)).isEmpty();
  }

  @Test
  void theNextProcessKnowsIt() {
    stop(1, 0);
    stop(2, 1);
    stop(3, 2);
    assertThat(new HostStops(store).quarantinedUntil(HOST)).isPresent();
  }

  @Test
  void anOperatorEndsIt() {
    stop(1, 0);
    stop(2, 1);
    stop(3, 2);
    stops.forgive(HOST);
    assertThat(stops.quarantinedUntil(HOST)).isEmpty();
    assertThat(new HostStops(store).quarantinedUntil(HOST)).isEmpty();
    stop(4, 3);
    assertThat(stops.quarantinedUntil(HOST)).as("it begins anew").isEmpty();
  }

  @Test
  void aClockThatWasWrongQuarantinesNobodyForLong() {
    long year = 365 * 24 * 60;
    stop(1, year);
    stop(2, year + 1);
    stop(3, year + 2);
    stops.expire(START);
    assertThat(stops.quarantinedUntil(HOST)).isEmpty();
  }

  @Test
  void nothingIsKeptOfAHostThatIsWellForLong() {
    stop(1, 0);
    stops.expire(START + 60 * MINUTE);
    assertThat(store.list("stops/")).isEmpty();
  }
}
