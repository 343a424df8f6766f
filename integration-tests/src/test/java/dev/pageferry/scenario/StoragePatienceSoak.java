package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.journal.JournalReader.Journal;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.support.Failpoint;
import dev.pageferry.support.StorageChecks;
import dev.pageferry.support.TestCluster;
import java.time.Duration;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What takes longer than a test may: run by {@code scripts/soak}. */
class StoragePatienceSoak {
  private static final Map<String, String> FAST = Map.of("rate", "4MB/s");

  private TestCluster cluster;
  private StorageChecks checks;

  @BeforeEach
  void start() throws Exception {
    cluster = TestCluster.start("storage", "1GiB", "host-a", "host-b");
    checks = new StorageChecks(cluster);
  }

  @AfterEach
  void stop() throws Exception {
    cluster.close();
  }

  @Test
  void aSourceThatWasFrozenWhenItsVmWasRestoredElsewhereNeverRunsItAgain() throws Exception {
    cluster.createWithDisk("db", "host-a", 32, "journal", FAST, 16);
    long steps = checks.stepsBeyond("db", 0);
    Failpoint failpoint = cluster.hold("host-a", "source.storage-handoff.noted");
    Migration migration = cluster.migrateQuickly("db", "host-b");
    failpoint.awaitReached();
    cluster.agent("host-a").freeze();
    failpoint.release();
    assertThat(cluster.awaitEnd(migration.getId()).getFailure().getCode()).isEqualTo("SAVED");
    cluster.startVm("db", "host-b");
    long there = checks.stepsBeyond("db", steps);
    cluster.agent("host-a").thaw();
    cluster.awaitFreeMemory("host-a", 1L << 30);
    checks.stepsBeyond("db", there);
    assertThat(cluster.vm("db").getHost()).isEqualTo("host-b");
    assertThat(cluster.verify("db").getIdentical()).isTrue();
    checks.assertJournalHolds("db", there);
  }

  @Test
  void aCoordinatorsOutageStopsNoVm() throws Exception {
    cluster.createWithDisk("db", "host-a", 32, "journal", FAST, 16);
    long steps = checks.stepsBeyond("db", 0);
    cluster.coordinator().kill();
    // Longer than any lease of the coordinator's: the journal's file goes on growing.
    long[] last = {0};
    Awaitility.await().atMost(Duration.ofSeconds(30)).pollInterval(Duration.ofMillis(500))
        .until(() -> {
          last[0] = cluster.journals("db").stream().mapToLong(Journal::stepsSinceBoot).sum();
          return last[0] > steps + 12_000;
        });
    cluster.restartCoordinator();
    assertThat(cluster.vm("db").getSteps()).isGreaterThanOrEqualTo(last[0] - 2);
  }
}
