package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import dev.pageferry.proto.cluster.v1.ListMigrationsResponse;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.StallPolicy;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.report.v1.MigrationStage;
import io.grpc.Status;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class MigrateTest extends CommandFixture {
  private static final Migration QUEUED = Migration.newBuilder().setId("m-1").setState(Migration.State.QUEUED).build();
  private static final Migration SETUP = Samples.running(MigrationStage.Name.SETUP, 0, 0, 0);
  private static final Migration ROUND_0 = Samples.running(MigrationStage.Name.PRE_COPY, 0, 1L << 29, 0.4);
  private static final Migration ROUND_2 = Samples.running(MigrationStage.Name.PRE_COPY, 2, 12_800 << 10, 0.8);

  @BeforeEach
  void answer() {
    cluster.answer("MigrateLive", QUEUED);
    cluster.answer("GetMigration", QUEUED);
  }

  @Test
  void everyOptionReachesTheCoordinatorInItsUnit() {
    ferry.run("migrate", "live", "web-1", "--to", "host-b", "--downtime-limit", "250ms", "--max-bandwidth", "1Gbit/s",
        "--streams", "4", "--on-stall", "switch", "--timeout", "2min", "--request-id", "r-1", "--detach");

    assertThat(cluster.onlyRequest(MigrateLiveRequest.class))
        .isEqualTo(MigrateLiveRequest.newBuilder().setName("web-1").setTo("host-b").setDowntimeLimitMillis(250)
            .setMaxBandwidthBytesPerSecond(125_000_000).setStreams(4).setOnStall(StallPolicy.Name.SWITCH)
            .setTimeoutMillis(120_000).setRequestId("r-1").build());
  }

  @Test
  void whatWasNotAskedForIsLeftToTheCoordinator() {
    ferry.run("migrate", "live", "web-1", "--to", "host-b", "--detach");

    assertThat(cluster.onlyRequest(MigrateLiveRequest.class))
        .isEqualTo(MigrateLiveRequest.newBuilder().setName("web-1").setTo("host-b").setRequestId("id-1").build());
  }

  @Test
  void detachPrintsTheIdOnly() {
    assertThat(ferry.run("migrate", "live", "web-1", "--to", "host-b", "--detach")).isZero();
    assertThat(ferry.out()).isEqualTo("m-1\n");
    assertThat(ferry.err()).isEmpty();

    ferry.run("migrate", "live", "web-1", "--to", "host-b", "--detach", "-o", "json");
    assertThat(ferry.out()).contains("\"id\": \"m-1\"", "\"state\": \"QUEUED\"");
  }

  @Test
  void aMigrationBlocksUntilItsEndAndPrintsAReport() {
    cluster.answer("WatchMigration", SETUP, ROUND_0, Samples.COMPLETED);

    assertThat(ferry.run("migrate", "live", "web-1", "--to", "host-b")).isZero();

    assertThat(ferry.out()).isEqualTo("""
        migration:      m-1
        vm:             web-1
        kind:           LIVE
        from → to:      host-a → host-b
        state:          COMPLETED
        total:          1.25 s, setup 12.1 ms
        blackout:       8.3 ms
          pause:        0.2 ms
          last pages:   8.1 ms
          state:        0.0 ms
          digest:       0.0 ms
          storage:      0.0 ms
          commit:       0.0 ms
          network:      0.0 ms
          resume:       0.0 ms
        sent:           1.5 GiB in 393216 pages; 12 pages were zero
        throughput:     2.71 GB/s
        guest steps/s:  25000 before, 24100 during
        rounds:
          ROUND   PAGES  ZERO  SKIPPED  SENT   TIME      DIRTY AFTER
              0  262144     0        0  1 GiB  400.0 ms         3200
        """);
    assertThat(ferry.err()).isEmpty();
    assertThat(ferry.interrupts).isEmpty();
  }

  @Test
  void watchPrintsALinePerStageAndRoundAndSecond() {
    cluster.answer("WatchMigration", QUEUED, SETUP, ROUND_0, ROUND_0, ROUND_2, Samples.COMPLETED);

    ferry.run("migrate", "live", "web-1", "--to", "host-b", "--watch");

    assertThat(ferry.err()).isEqualTo("""
        queued
        setup
        pre-copy round 0: rest 512 MiB, 2.71 GB/s, about 0.1 s left
        pre-copy round 2: rest 12.5 MiB, 2.71 GB/s, about 0.1 s left
        completed
        """);
  }

  @Test
  void progressDoesNotRunBackwards() {
    cluster.answer("WatchMigration", ROUND_2, ROUND_0, SETUP, Samples.COMPLETED);

    ferry.run("migrate", "live", "web-1", "--to", "host-b", "--watch");

    assertThat(ferry.err().lines()).containsExactly("pre-copy round 2: rest 12.5 MiB, 2.71 GB/s, about 0.1 s left",
        "completed");
  }

  @Test
  void aTerminalGetsOneLineThatChanges() {
    ferry.terminal = true;
    cluster.answer("WatchMigration", ROUND_0, ROUND_2, ROUND_0, Samples.COMPLETED);

    ferry.run("migrate", "live", "web-1", "--to", "host-b", "--watch");

    assertThat(ferry.err().split("\r\u001b\\[K")).contains(
        "[====>     ]  40 % pre-copy round 0: rest 512 MiB, 2.71 GB/s, about 0.1 s left",
        "[========> ]  80 % pre-copy round 2: rest 12.5 MiB, 2.71 GB/s, about 0.1 s left");
    assertThat(ferry.err()).endsWith("[==========] 100 % completed\n").containsOnlyOnce("\n");
  }

  @Test
  void watchingInJsonPrintsADocumentALineTheLastOneFinal() throws IOException {
    cluster.answer("WatchMigration", SETUP, ROUND_2, Samples.COMPLETED);

    assertThat(ferry.run("migrate", "live", "web-1", "--to", "host-b", "--watch", "-o", "json")).isZero();

    List<Migration> documents = new ArrayList<>();
    for (String line : ferry.outLines()) {
      Migration.Builder document = Migration.newBuilder();
      JsonFormat.parser().merge(line, document);
      documents.add(document.build());
    }
    assertThat(documents).containsExactlyElementsOf(Stream.of(SETUP, ROUND_2, Samples.COMPLETED)
        .map(each -> each.toBuilder().setRequestId("id-1").build()).toList());
    assertThat(ferry.err()).isEmpty();
  }

  @Test
  void aFailedMigrationExitsWithOneAfterItsReport() {
    cluster.answer("WatchMigration",
        Samples.ended(Migration.State.FAILED, "DESTINATION_LOST",
            "host-b went away; its link broke; try another host"));

    assertThat(ferry.run("migrate", "live", "web-1", "--to", "host-b")).isEqualTo(1);

    assertThat(ferry.outLines()).contains("state:          FAILED",
        "failure: DESTINATION_LOST: host-b went away; its link broke; try another host");
    assertThat(ferry.err()).isEqualTo(
        "ferry: migration m-1 of web-1 failed; DESTINATION_LOST: host-b went away; its link broke; try another host\n");
  }

  @Test
  void aMigrationThatEndedWithTheVmDownDoesNotExitAsOneThatLostNothing() {
    cluster.answer("WatchMigration",
        Samples.ended(Migration.State.FAILED, "LOST_AFTER_COMMIT", "host host-b was restarted after the commit"));
    assertThat(ferry.run("migration", "watch", "m-1", "-q")).isEqualTo(7);
  }

  @ParameterizedTest
  @CsvSource({"SOURCE_LOST,FAILED,7", "SOURCE_LOST,UNKNOWN,7", "SOURCE_LOST,RUNNING,1", "SOURCE_LOST,PAUSED,1",
      "SOURCE_LOST,,7", "DESTINATION_LOST,FAILED,7", "DESTINATION_LOST,UNKNOWN,6", "DESTINATION_LOST,RUNNING,1",
      "DESTINATION_LOST,,1", "SAVED,SAVED,1", "ABORTED,RUNNING,1", "INTERNAL,FAILED,7", "LOST_AFTER_COMMIT,RUNNING,7"})
  void aMigrationThatFailedExitsWithOneOnlyIfTheVmWasNotLost(String code, Vm.@Nullable State vm, int exitCode) {
    cluster.answer("WatchMigration", Samples.ended(Migration.State.FAILED, code, "a host went away"));
    if (vm != null) {
      cluster.answer("GetVm", Samples.VM.toBuilder().setState(vm).build());
    }

    assertThat(ferry.run("migration", "watch", "m-1", "-q")).isEqualTo(exitCode);

    assertThat(ferry.err()).hasLineCount(1).contains(code);
  }

  @Test
  void aCancelledMigrationExitsWithOneAndADoubtfulOneWithSix() {
    cluster.answer("WatchMigration", Samples.ended(Migration.State.CANCELLED, "CANCELLED", "an operator cancelled"));
    assertThat(ferry.run("migration", "watch", "m-1", "-o", "json")).isEqualTo(1);

    cluster.answer("WatchMigration", Samples.ended(Migration.State.IN_DOUBT, "SOURCE_LOST", "host-a went away"));
    assertThat(ferry.run("migration", "watch", "m-1", "-q")).isEqualTo(6);
    assertThat(ferry.err()).contains("in doubt", "ferry migration show m-1").hasLineCount(1);
  }

  @Test
  void aRefusedMigrationIsNotWatched() {
    cluster.refuse("MigrateLive", Status.FAILED_PRECONDITION.withDescription("web-1 is stopped; start it first"));

    assertThat(ferry.run("migrate", "live", "web-1", "--to", "host-b")).isEqualTo(4);

    assertThat(cluster.requests()).hasOnlyElementsOfType(MigrateLiveRequest.class);
    assertThat(ferry.interrupts).isEmpty();
  }

  @Test
  void aCoordinatorThatComesBackIsFollowedAgain() {
    AtomicInteger calls = new AtomicInteger();
    cluster.answer("WatchMigration", request -> calls.incrementAndGet() < 3
        ? new FakeCluster.Answer(List.of(ROUND_0), Status.UNAVAILABLE)
        : new FakeCluster.Answer(List.of(Samples.COMPLETED), Status.OK));

    assertThat(ferry.run("migrate", "live", "web-1", "--to", "host-b", "-o", "json")).isZero();

    assertThat(calls).hasValue(3);
    assertThat(ferry.err()).contains("lost the coordinator at " + cluster.address(), "m-1 goes on");
  }

  @Test
  void aRestartedCoordinatorIsReachedOverANewConnection() {
    AtomicInteger pauses = new AtomicInteger();
    cluster.answer("WatchMigration", request -> new FakeCluster.Answer(List.of(ROUND_0), Status.UNAVAILABLE));
    ferry.afterPause = () -> {
      if (pauses.incrementAndGet() == 1) {
        cluster.stop();
      } else if (pauses.get() == 4) {
        cluster.answer("WatchMigration", Samples.COMPLETED);
        cluster.startAgain();
      }
    };

    assertThat(ferry.run("migrate", "live", "web-1", "--to", "host-b", "-q")).isZero();
    assertThat(ferry.err()).isEmpty();
  }

  @Test
  void aStreamThatEndsBeforeTheMigrationIsWatchedAgain() {
    AtomicInteger calls = new AtomicInteger();
    cluster.answer("WatchMigration", request -> new FakeCluster.Answer(
        List.of(calls.incrementAndGet() == 1 ? ROUND_0 : Samples.COMPLETED), Status.OK));

    assertThat(ferry.run("migrate", "live", "web-1", "--to", "host-b")).isZero();
  }

  @Test
  void aCoordinatorThatStaysAwayIsGivenUpAfterAMinute() {
    cluster.refuse("WatchMigration", Status.UNAVAILABLE);

    assertThat(ferry.run("migration", "watch", "m-1", "-q")).as("a question").isEqualTo(5);
    ferry.pauses.clear();
    assertThat(ferry.run("migrate", "live", "web-1", "--to", "host-b")).as("it was accepted").isEqualTo(6);

    assertThat(ferry.pauses.stream().reduce(Duration.ZERO, Duration::plus)).isEqualTo(Duration.ofSeconds(60));
    assertThat(ferry.pauses).hasSizeLessThan(30);
    assertThat(ferry.pauses.getFirst()).isBetween(Duration.ofMillis(100), Duration.ofMillis(200));
    assertThat(ferry.pauses.get(1)).isBetween(Duration.ofMillis(200), Duration.ofMillis(400));
    assertThat(ferry.out()).isEmpty();
    assertThat(ferry.err().lines()).hasSize(2).last().asString().startsWith("ferry: ")
        .contains("migration m-1 goes on", "'ferry migration show m-1'");
  }

  @Test
  void controlCDetachesAndSaysHowToGoOn() {
    cluster.answer("WatchMigration", request -> {
      ferry.interrupts.forEach(Runnable::run);
      return new FakeCluster.Answer(List.<Message>of(Samples.COMPLETED), Status.OK);
    });

    ferry.run("migrate", "live", "web-1", "--to", "host-b");

    assertThat(ferry.err()).isEqualTo("detached; migration m-1 goes on; 'ferry migration watch m-1' follows it,"
        + " 'ferry migration cancel m-1' ends it\n");
  }

  @Test
  void migrationsAreListedAndCancelledAsRows() {
    cluster.answer("ListMigrations", ListMigrationsResponse.newBuilder().addMigrations(Samples.COMPLETED).build());
    cluster.answer("CancelMigration", ROUND_2);

    ferry.run("migration", "list");
    assertThat(ferry.outLines().getLast()).isEqualTo(
        "m-1  web-1  LIVE  host-a  host-b  COMPLETED  network cleanup  -        1.25 s  8.3 ms    1.5 GiB");

    assertThat(ferry.run("migration", "cancel", "m-1")).isZero();
    assertThat(ferry.outLines().getLast()).contains("RUNNING", "pre-copy");
  }

  @Test
  void showingAMigrationUnderWayTellsWhereItStands() {
    cluster.answer("GetMigration", ROUND_2);

    assertThat(ferry.run("migration", "show", "m-1")).isZero();

    assertThat(ferry.out()).contains("80 %, pre-copy round 2: rest 12.5 MiB");
  }
}
