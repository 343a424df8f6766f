package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.DeleteDiskRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.GetDiskRequest;
import dev.pageferry.proto.cluster.v1.ListDisksRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.StopVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.HeldMigration;
import dev.pageferry.support.StorageChecks;
import dev.pageferry.support.TestCluster;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** VMs whose disks go with them, between hosts that share no storage, also while everything around them dies. */
class SharedNothingTest {
  private static final Map<String, String> FAST = Map.of("rate", "4MB/s");

  private static TestCluster cluster;
  private static StorageChecks checks;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.startWithOwnStorage("shared-nothing", "1GiB", "host-a", "host-b");
    checks = new StorageChecks(cluster);
  }

  @AfterAll
  static void stop() throws Exception {
    cluster.close();
  }

  @AfterEach
  void deleteAll() throws Exception {
    cluster.deleteAll();
  }

  private List<String> files(String host, String directory) throws IOException {
    Path path = cluster.storageOf(host).resolve(directory);
    if (!Files.isDirectory(path)) {
      return List.of();
    }
    try (Stream<Path> files = Files.walk(path)) {
      return files.filter(Files::isRegularFile).map(each -> each.getFileName().toString()).sorted().toList();
    }
  }

  private void assertNothingOnItsWayTo(String host) {
    Awaitility.await("nothing is on its way to " + host).ignoreExceptions()
        .untilAsserted(() -> assertThat(files(host, "incoming")).isEmpty());
  }

  /** A migration of VM and disks to host-b, with a host held at a point of it. */
  private static HeldMigration held(String host, String point) throws IOException {
    return cluster.holdMigration(host, point, () -> cluster.migrateWithDisks("db", "host-b"));
  }

  private void moveWell(String vm, String to) throws IOException {
    Migration migration = cluster.awaitEnd(cluster.migrateWithDisks(vm, to).getId());
    assertThat(migration.getState()).as("%s", migration.getFailure()).isEqualTo(Migration.State.COMPLETED);
    assertNothingOnItsWayTo(to);
  }

  @Test
  void disksOfBothFormatsGoWithTheirVmThereAndBackAndNothingIsLost() throws Exception {
    cluster.createWithDisk("db", "host-a", 64, "journal", FAST, 16);
    cluster.api().createDisk(CreateDiskRequest.newBuilder().setName("raw").setSizeBytes((64L << 20) + 512)
        .setFormat(Disk.Format.RAW).setHost("host-a").build());
    cluster.api().createDisk(CreateDiskRequest.newBuilder().setName("empty").setSizeBytes(1L << 40)
        .setFormat(Disk.Format.VHD).setHost("host-a").build());
    cluster.api().createVm(CreateVmRequest.newBuilder().setName("mix").setHost("host-a").setMemoryBytes(64 << 20)
        .setVcpus(2).setProgram("diskmix").putAllProgramArgs(Map.of("rate", "40MB/s", "fill", "random"))
        .addDisks("raw").addDisks("empty").build());
    long steps = checks.stepsBeyond("db", 0);
    for (String to : List.of("host-b", "host-a", "host-b")) {
      for (String vm : List.of("db", "mix")) {
        moveWell(vm, to);
        assertThat(cluster.verify(vm).getIdentical()).isTrue();
      }
      steps = checks.stepsBeyond("db", steps);
      checks.assertJournalHolds("db", steps);
      String from = to.equals("host-b") ? "host-a" : "host-b";
      assertThat(files(to, "disks")).containsExactly("db-disk.vhd", "empty.vhd", "raw.raw", "raw.raw.identity");
      assertThat(files(from, "disks")).isEmpty();
    }
    assertThat(cluster.api().getDisk(GetDiskRequest.newBuilder().setName("raw").setHost("host-b").build()).getVm())
        .isEqualTo("mix");
    assertThat(cluster.api().listDisks(ListDisksRequest.getDefaultInstance()).getDisksList())
        .allSatisfy(disk -> assertThat(disk.getHostsList()).containsExactly("host-b"));
    cluster.delete("mix");
    cluster.api().deleteDisk(DeleteDiskRequest.newBuilder().setName("raw").setHost("host-b").build());
    assertThat(files("host-b", "disks")).containsExactly("db-disk.vhd", "empty.vhd");
  }

  @Test
  void aDiskThatIsAnotherOneAtTheDestinationIsNeverWrittenOver() throws Exception {
    cluster.createWithDisk("db", "host-a", 32, "journal", FAST, 16);
    cluster.api().createDisk(CreateDiskRequest.newBuilder().setName("db-disk").setSizeBytes(16 << 20)
        .setFormat(Disk.Format.VHD).setHost("host-b").build());
    long steps = checks.stepsBeyond("db", 0);
    assertThatThrownBy(() -> cluster.migrate("db", "host-b")).isInstanceOf(StatusRuntimeException.class)
        .hasMessageContaining("--shared-nothing");
    Migration migration = cluster.awaitEnd(cluster.migrateWithDisks("db", "host-b").getId());
    assertThat(migration.getFailure().getMessage()).contains("there is another disk db-disk");
    cluster.awaitVm("db", Vm.State.RUNNING, "host-a");
    checks.assertJournalHolds("db", checks.stepsBeyond("db", steps));
    assertThat(files("host-b", "disks")).containsExactly("db-disk.vhd");
    assertNothingOnItsWayTo("host-b");
  }

  @Test
  void aDiskThatIsPassedThroughIsNotCopied() throws Exception {
    Path device = Files.createTempFile("passed-through", ".img");
    try {
      Files.write(device, new byte[1 << 20]);
      cluster.api()
          .createVm(CreateVmRequest.newBuilder().setName("db").setHost("host-a").setMemoryBytes(64 << 20).setVcpus(1)
              .setProgram("diskmix").addDisks(device.toString()).build());
      Migration migration = cluster.awaitEnd(cluster.migrateWithDisks("db", "host-b").getId());
      assertThat(migration.getFailure().getMessage()).contains("passed through by its path");
      cluster.awaitVm("db", Vm.State.RUNNING, "host-a");
      assertThatThrownBy(() -> cluster.api().createVm(CreateVmRequest.newBuilder().setName("thief").setHost("host-b")
          .setMemoryBytes(64 << 20).setVcpus(1).addDisks(device.toString()).build()))
          .as("whatever storage its host has").hasMessageContaining("a disk has one VM");
      cluster.delete("db");
    } finally {
      Files.delete(device);
    }
  }

  @Test
  void aDestinationThatDiesBeforeTheCommitLeavesTheVmAndItsDisksWithTheSource() throws Exception {
    long steps = checks.startJournal("db", "host-a");
    HeldMigration held = held("host-b", "destination.stop-and-copy.before-ready");
    assertThat(files("host-b", "incoming")).containsExactly("db-disk.vhd");
    held.kill("host-b");
    assertThat(held.end().getState()).isEqualTo(Migration.State.FAILED);
    cluster.awaitVm("db", Vm.State.RUNNING, "host-a");
    steps = checks.stepsBeyond("db", steps);
    cluster.restart("host-b");
    assertNothingOnItsWayTo("host-b");
    assertThat(files("host-b", "disks")).isEmpty();
    moveWell("db", "host-b");
    checks.assertGoesOn("db", steps);
  }

  @Test
  void aDestinationThatDiesBehindTheCommitHasTheDisksInItsNextIncarnation() throws Exception {
    long steps = checks.startJournal("db", "host-a");
    HeldMigration held = held("host-b", "destination.activation.before-resume");
    held.kill("host-b");
    cluster.restart("host-b");
    cluster.awaitVm("db", Vm.State.FAILED, "host-b");
    Awaitility.await().untilAsserted(() -> assertThat(files("host-b", "disks")).containsExactly("db-disk.vhd"));
    checks.assertJournalHolds("db", steps);
    cluster.startVm("db", "");
    checks.stepsBeyond("db", 0);
    checks.wholeJournals("db");
    assertThat(cluster.verify("db").getIdentical()).isTrue();
    // The copy that the source kept goes once the VM runs elsewhere.
    Awaitility.await().untilAsserted(() -> assertThat(files("host-a", "disks")).isEmpty());
  }

  @Test
  void aCopyThatADeadSourceLeftIsReplacedWhenTheVmComesBack() throws Exception {
    long steps = checks.startJournal("db", "host-a");
    HeldMigration held = held("host-a", "source.activation.go-sent");
    held.kill("host-a");
    assertThat(held.end().getState()).isEqualTo(Migration.State.COMPLETED);
    steps = checks.stepsBeyond("db", steps);
    cluster.restart("host-a");
    assertThat(files("host-a", "disks")).containsExactly("db-disk.vhd");
    cluster.api().stopVm(StopVmRequest.newBuilder().setName("db").build());
    assertThatThrownBy(() -> cluster.startVm("db", "host-a")).isInstanceOf(StatusRuntimeException.class)
        .hasMessageContaining("name a host that reaches it");
    cluster.startVm("db", "host-b");
    steps = checks.stepsBeyond("db", 0);
    moveWell("db", "host-a");
    checks.assertGoesOn("db", steps);
    assertThat(files("host-b", "disks")).isEmpty();
  }

  @Test
  void aCoordinatorThatDiesDuringTheCopyChangesNothing() throws Exception {
    long steps = checks.startJournal("db", "host-a");
    HeldMigration held = held("host-a", "source.storage-handoff.released");
    held.killCoordinator();
    cluster.restartCoordinator();
    assertThat(held.end().getState()).isEqualTo(Migration.State.COMPLETED);
    checks.assertGoesOn("db", steps);
  }

  @Test
  void aDestinationThatCannotOpenTheDisksGivesThemBackWithTheVm() throws Exception {
    long steps = checks.startJournal("db", "host-a");
    HeldMigration held = held("host-b", "destination.activation.before-resume");
    // The disk that the source keeps may be the VM's again.
    assertThatThrownBy(() -> cluster.api()
        .deleteDisk(DeleteDiskRequest.newBuilder().setName("db-disk").setHost("host-a").build()))
        .isInstanceOf(StatusRuntimeException.class).hasMessageContaining("is VM db's");
    // A disk of that name that somebody makes at the worst moment.
    cluster.api().createDisk(CreateDiskRequest.newBuilder().setName("db-disk").setSizeBytes(16 << 20)
        .setFormat(Disk.Format.VHD).setHost("host-b").build());
    held.release();
    Migration ended = held.end();
    assertThat(ended.getFailure().getCode()).isEqualTo("DISKS_UNAVAILABLE");
    Vm vm = cluster.awaitVm("db", Vm.State.RUNNING, "host-a");
    assertThat(vm.getEpoch()).isEqualTo(3);
    checks.assertGoesOn("db", steps);
    assertNothingOnItsWayTo("host-b");
    assertThat(files("host-b", "disks")).as("somebody else's").containsExactly("db-disk.vhd");
    cluster.api().deleteDisk(DeleteDiskRequest.newBuilder().setName("db-disk").setHost("host-b").build());
    moveWell("db", "host-b");
    checks.assertJournalHolds("db", checks.stepsBeyond("db", steps));
  }
}
