package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.journal.JournalReader.Journal;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.HeldMigration;
import dev.pageferry.support.StorageChecks;
import dev.pageferry.support.TestCluster;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What takes longer than a test may: run by {@code scripts/soak}. */
class StoragePatienceSoak {
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
    long steps = checks.startJournal("db", "host-a");
    HeldMigration held = cluster.holdMigration("host-a", "source.storage-handoff.noted",
        () -> cluster.migrateQuickly("db", "host-b"));
    held.freeze("host-a");
    assertThat(held.end().getFailure().getCode()).isEqualTo("SAVED");
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
    long steps = checks.startJournal("db", "host-a");
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

  @Test
  void aDestinationWithoutRoomForTheDisksLeavesTheVmWhereItWas() throws Exception {
    cluster.close();
    cluster = TestCluster.startWithOwnStorage("patience", "1GiB", "host-a", "host-b");
    checks = new StorageChecks(cluster);
    cluster.agent("host-b").kill();
    cluster.agent("host-b").limitFiles(8 << 10);
    cluster.restart("host-b");
    cluster.createWithDisk("db", "host-a", 64, "diskmix", Map.of("rate", "40MB/s"), 20);
    long steps = checks.stepsBeyond("db", 0);
    Migration migration = cluster.awaitEnd(cluster.migrateWithDisks("db", "host-b").getId());
    assertThat(migration.getState()).isEqualTo(Migration.State.FAILED);
    assertThat(migration.getFailure().getMessage()).contains("db-disk");
    cluster.awaitVm("db", Vm.State.RUNNING, "host-a");
    checks.stepsBeyond("db", steps);
    assertThat(cluster.verify("db").getIdentical()).isTrue();
    try (Stream<Path> left = Files.list(cluster.storageOf("host-b").resolve("incoming/host-b"))) {
      assertThat(left).isEmpty();
    }
  }
}
