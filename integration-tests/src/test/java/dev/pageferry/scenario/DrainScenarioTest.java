package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.proto.cluster.v1.HaStatus;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.ListMigrationsRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.CommandResult;
import dev.pageferry.support.TestCluster;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Hosts are emptied and filled again, with processes that are killed meanwhile. */
@Timeout(240)
class DrainScenarioTest {
  private static final List<String> HOSTS = List.of("host-a", "host-b", "host-c");
  private static final List<String> VMS = List.of("vm-1", "vm-2", "vm-3");
  private static final Duration SOON = Duration.ofSeconds(60);

  private static TestCluster cluster;

  @TempDir
  Path directory;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.start("drain", "512MiB", HOSTS.toArray(String[]::new));
  }

  @AfterAll
  static void stop() throws Exception {
    cluster.close();
  }

  @BeforeEach
  void createVms() throws Exception {
    for (String each : VMS) {
      Vm _ = cluster.createWithDisk(each, "host-a", 64, "diskmix",
          Map.of("rate", "20MB/s", "workingSet", "16MiB"), 16);
    }
  }

  @AfterEach
  void heal() throws Exception {
    HaStatus _ = cluster.arm(false);
    for (String each : HOSTS) {
      assertDone(cluster.ferry("host", "activate", each, "--no-fail-back"));
    }
    cluster.heal();
  }

  private static void assertDone(CommandResult result) {
    assertThat(result.exitCode()).as("%s%n%s", result.output(), result.errors()).isZero();
  }

  private static void assertAllVerify() throws Exception {
    for (String each : VMS) {
      assertDone(cluster.ferry("vm", "verify", each));
    }
  }

  private static int migrations() {
    return cluster.api().listMigrations(ListMigrationsRequest.getDefaultInstance()).getMigrationsCount();
  }

  private static long on(String host) {
    return VMS.stream().filter(each -> cluster.vm(each).getHost().equals(host)).count();
  }

  @Test
  void allVmsLeaveAHostThatIsDrainedAndComeBackWhenItIsActivatedEachWithAllItsBytes() throws Exception {
    CommandResult dry = cluster.ferry("host", "drain", "host-a", "--dry-run");
    assertDone(dry);
    assertThat(dry.output()).contains("DRY_RUN", "vm-1", "vm-2", "vm-3", "would take");
    assertThat(on("host-a")).isEqualTo(3);

    CommandResult drained = cluster.ferry("host", "drain", "host-a");
    assertDone(drained);
    assertThat(drained.output()).containsPattern("state: +COMPLETED").contains("forecast at its start");
    assertThat(drained.errors()).contains("vm-1 is on host-", "moved in", "paused for");
    assertThat(cluster.host("host-a").getState()).isEqualTo(Host.State.MAINTENANCE);
    assertThat(on("host-a")).isZero();
    assertThat(on("host-b")).as("they are spread").isBetween(1L, 2L);
    cluster.assertRefused(4, "host host-a is drained", "vm", "create", "new", "--host", "host-a");
    cluster.assertRefused(4, "host host-a is drained", "migrate", "live", "vm-1", "--to", "host-a");
    assertAllVerify();

    assertDone(cluster.ferry("host", "activate", "host-a"));
    assertThat(cluster.host("host-a").getState()).isEqualTo(Host.State.UP);
    assertThat(on("host-a")).isEqualTo(3);
    assertAllVerify();
  }

  @Test
  void whereThereIsNoRoomNothingIsBegun() throws Exception {
    Vm _ = cluster.createWriter("big-b", "host-b", 448, 1, Map.of("rate", "1MB/s"));
    Vm _ = cluster.createWriter("big-c", "host-c", 448, 1, Map.of("rate", "1MB/s"));
    cluster.assertRefused(4, "host host-a cannot be drained, and nothing was changed: VM vm-3", "host", "drain",
        "host-a");
    assertThat(cluster.host("host-a").getState()).isEqualTo(Host.State.UP);
    assertThat(on("host-a")).isEqualTo(3);
    cluster.assertRefused(4, "have nowhere to go", "host", "drain", "host-a", "--dry-run");
  }

  @Test
  void aDrainOutlivesItsTerminalAndItsCoordinator() throws Exception {
    int before = migrations();
    CommandResult begun = cluster.ferry("host", "drain", "host-a", "--quick", "--detach");
    assertDone(begun);
    cluster.coordinator().kill();
    cluster.startCoordinator();
    CommandResult followed = cluster.ferry("plan", "watch", begun.output().strip());
    assertDone(followed);
    assertThat(on("host-a")).isZero();
    Awaitility.await("the host is heard again").atMost(SOON)
        .until(() -> cluster.host("host-a").getState() == Host.State.MAINTENANCE);
    assertThat(migrations() - before)
        .as("one for each VM, and one for that which the coordinator's end may have failed")
        .isBetween(3, 4);
    assertAllVerify();
  }

  @Test
  void aHostThatDiesWhileItIsDrainedLosesNoVmAndStaysOutWhenItIsBack() throws Exception {
    HaStatus _ = cluster.arm(true);
    assertDone(cluster.ferry("host", "drain", "host-a", "--detach"));
    cluster.agent("host-a").kill();
    for (String each : VMS) {
      Awaitility.await(each + " runs elsewhere").atMost(SOON).until(
          () -> cluster.vm(each).getState() == Vm.State.RUNNING && !cluster.vm(each).getHost().equals("host-a"));
    }
    cluster.restart("host-a");
    Awaitility.await().atMost(SOON).until(() -> cluster.host("host-a").getState() == Host.State.MAINTENANCE);
    assertThat(on("host-a")).isZero();
  }

  @Test
  void aRollingDrainGoesOnWhereItStopped() throws Exception {
    Path done = directory.resolve("done");
    String command = "echo $FERRY_HOST >>%s; test $FERRY_HOST != host-b -o -e %s".formatted(done,
        directory.resolve("mended"));
    CommandResult stopped = cluster.ferry("host", "drain", "--rolling", "--then", command);
    assertThat(stopped.exitCode()).isEqualTo(1);
    assertThat(stopped.errors()).contains("the command ended with 1 for host host-b, which is still drained");
    assertThat(Files.readAllLines(done)).containsExactly("host-a", "host-b");
    assertThat(cluster.host("host-b").getState()).isEqualTo(Host.State.MAINTENANCE);

    Path unused = Files.createFile(directory.resolve("mended"));
    CommandResult again = cluster.ferry("host", "drain", "--rolling", "--then", command);
    assertDone(again);
    assertThat(again.errors()).contains("going on with what began at", "host-a DONE, host-b DRAINING");
    assertThat(Files.readAllLines(done)).containsExactly("host-a", "host-b", "host-b", "host-c");
    assertThat(HOSTS).allMatch(each -> cluster.host(each).getState() == Host.State.UP);
    assertThat(on("host-a")).as("each came back").isEqualTo(3);
    assertAllVerify();
  }

  @Test
  void freeMemoryIsEvenedOut() throws Exception {
    cluster.awaitFreeMemory("host-a", (512 - 3 * 64) << 20);
    assertDone(cluster.ferry("rebalance"));
    assertThat(on("host-a")).isBetween(1L, 2L);
    assertThat(cluster.ferry("rebalance", "--dry-run").output()).doesNotContain("vm-");
    assertAllVerify();
  }
}
