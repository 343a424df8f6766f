package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonObject;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.PauseVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmDigest;
import dev.pageferry.support.StorageChecks;
import dev.pageferry.support.TestCluster;
import io.grpc.StatusRuntimeException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** VMs with disks, and VMs that are moved through a file, on a good day. */
class StorageTest {
  private static final Map<String, String> FAST = Map.of("rate", "4MB/s");

  private static TestCluster cluster;
  private static StorageChecks checks;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.start("storage", "1GiB", "host-a", "host-b");
    checks = new StorageChecks(cluster);
  }

  @AfterAll
  static void stop() throws Exception {
    cluster.close();
  }

  @AfterEach
  void deleteAll() {
    cluster.deleteAll();
  }

  @Test
  void aVmWithADiskMovesLiveAndQuicklyAndNothingOfItIsLost() throws Exception {
    cluster.createWithDisk("db", "host-a", 64, "journal", FAST, 16);
    cluster.createWithDisk("mix", "host-a", 64, "diskmix", Map.of("rate", "40MB/s"), 64);
    long steps = checks.stepsBeyond("db", 0);
    for (String to : new String[]{"host-b", "host-a"}) {
      for (String vm : new String[]{"db", "mix"}) {
        JsonObject migration = cluster.ferryJson("migrate", to.equals("host-b") ? "live" : "quick", vm, "--to", to,
            "-o", "json");
        assertThat(migration.get("state").getAsString()).isEqualTo("COMPLETED");
        assertThat(migration.get("kind").getAsString()).isEqualTo(to.equals("host-b") ? "LIVE" : "QUICK");
        double sum = migration.getAsJsonObject("blackout").entrySet().stream()
            .mapToDouble(each -> each.getValue().getAsDouble()).sum();
        assertThat(sum).isCloseTo(migration.get("blackoutSeconds").getAsDouble(),
            Offset.offset(1e-6));
        assertThat(cluster.verify(vm).getIdentical()).isTrue();
      }
      steps = checks.stepsBeyond("db", steps);
      checks.assertJournalHolds("db", steps);
    }
    assertThat(checks.savedStates()).isEmpty();
  }

  @Test
  void disksAreMadeListedAndDeletedOnlyWhenNobodyHasThem() throws Exception {
    cluster.ferryJson("disk", "create", "one", "--size", "10GiB", "-o", "json");
    cluster.ferryJson("disk", "create", "two", "--size", "4MiB", "--format", "raw", "-o", "json");
    cluster.createWithDisk("db", "host-a", 16, "journal", Map.of(), 16);
    JsonObject list = cluster.ferryJson("disk", "list", "-o", "json");
    assertThat(list.getAsJsonArray("disks").asList())
        .extracting(each -> each.getAsJsonObject().get("name").getAsString())
        .containsExactly("db-disk", "one", "two");
    assertThat(cluster.ferryJson("disk", "show", "db-disk", "-o", "json").get("vm").getAsString()).isEqualTo("db");
    assertThat(cluster.ferryJson("vm", "show", "db", "-o", "json").getAsJsonArray("disks").get(0).getAsString())
        .isEqualTo("db-disk");
    cluster.assertRefused(4, "is VM db's", "disk", "delete", "db-disk");
    cluster.assertRefused(4, "exists already", "disk", "create", "one", "--size", "1GiB");
    cluster.assertRefused(3, "does not exist", "disk", "show", "three");
    cluster.assertRefused(2, "not vhd, raw or qcow2", "disk", "create", "four", "--size", "1GiB", "--format", "vmdk");
    cluster.assertRefused(4, "at most", "disk", "create", "five", "--size", "3TiB");
    cluster.assertRefused(4, "a disk has one VM", "vm", "create", "thief", "--host", "host-b", "--disk", "db-disk");
    cluster.assertRefused(2, "add --disk", "vm", "create", "bare", "--host", "host-b", "--program", "journal");
    cluster.delete("db");
    assertThat(cluster.ferry("disk", "delete", "db-disk").exitCode()).isZero();
  }

  @Test
  void aSavedVmGoesOnWhereItStoodOnWhicheverHost() throws Exception {
    cluster.createWithDisk("db", "host-a", 64, "diskmix", Map.of("rate", "40MB/s", "fill", "random"), 64);
    checks.stepsBeyond("db", 0);
    cluster.api().pauseVm(PauseVmRequest.newBuilder().setName("db").build());
    VmDigest before = cluster.digest("db");
    Vm saved = cluster.save("db");
    assertThat(saved.getState()).isEqualTo(Vm.State.SAVED);
    assertThat(saved.getSteps()).isEqualTo(before.getSteps());
    assertThat(checks.savedStates()).hasSize(1);
    cluster.awaitFreeMemory("host-a", 1L << 30);

    cluster.startVm("db", "host-b");
    VmDigest after = cluster.digest("db");
    assertThat(after.getMemoryDigest()).isEqualTo(before.getMemoryDigest());
    assertThat(after.getRegistersDigest()).isEqualTo(before.getRegistersDigest());
    Vm vm = cluster.awaitVm("db", Vm.State.PAUSED, "host-b");
    assertThat(vm.getEpoch()).isEqualTo(2);
    assertThat(checks.savedStates()).isEmpty();
    assertThat(cluster.ferry("vm", "resume", "db").exitCode()).isZero();
    checks.stepsBeyond("db", before.getSteps());
    assertThat(cluster.verify("db").getIdentical()).isTrue();
  }

  @Test
  void whatCannotBeSavedOrRestoredSaysWhyAndNothingIsLost() throws Exception {
    long steps = checks.startJournal("db", "host-a");
    cluster.assertRefused(4, "is on host host-a already", "migrate", "quick", "db", "--to", "host-a");
    cluster.save("db");
    cluster.assertRefused(4, "is SAVED", "migrate", "live", "db", "--to", "host-b");
    cluster.assertRefused(4, "is SAVED", "vm", "pause", "db");
    Path file = cluster.storage().resolve("saved").resolve(checks.savedStates().getFirst());
    byte[] whole = Files.readAllBytes(file);
    byte[] damaged = whole.clone();
    damaged[damaged.length / 2] ^= 4;
    Files.write(file, damaged);
    cluster.assertRefused(1, "stays saved", "vm", "start", "db", "-q");
    assertThat(cluster.vm("db").getState()).isEqualTo(Vm.State.SAVED);
    Files.write(file, whole);
    cluster.startVm("db", "");
    checks.stepsBeyond("db", steps);
    checks.assertJournalHolds("db", steps);
  }

  @Test
  void aStateIsNeverRestoredOverADiskThatWasWrittenSince() throws Exception {
    checks.startJournal("db", "host-a");
    cluster.save("db");
    Path file = cluster.storage().resolve("saved").resolve(checks.savedStates().getFirst());
    byte[] old = Files.readAllBytes(file);
    cluster.startVm("db", "");
    checks.stepsBeyond("db", cluster.vm("db").getSteps());
    cluster.save("db");
    // An operator puts the old file in the place of the new one.
    Files.write(cluster.storage().resolve("saved").resolve(checks.savedStates().getFirst()), old);
    assertThatThrownBy(() -> cluster.startVm("db", "")).isInstanceOf(StatusRuntimeException.class)
        .hasMessageContaining("under epoch 2 since, and the state is of epoch 1");
    assertThat(cluster.vm("db").getState()).isEqualTo(Vm.State.SAVED);
  }

  @Test
  void aVhdThatAnotherProgramMadeBootsTheJournal() throws Exception {
    Path file = cluster.disk("db-disk", Disk.Format.VHD);
    Files.createDirectories(file.getParent());
    boolean there = Stream.of(System.getenv("PATH").split(":"))
        .anyMatch(each -> Files.isExecutable(Path.of(each, "qemu-img")));
    assumeTrue(there, "qemu-img is not installed");
    Process made = new ProcessBuilder("qemu-img", "create", "-f", "vpc", "-o", "subformat=fixed,force_size=on",
        file.toString(), "16M").redirectErrorStream(true).start();
    assertThat(made.waitFor()).isZero();
    cluster.ferryJson("vm", "create", "db", "--host", "host-a", "--memory", "32MiB", "--vcpus", "2", "--program",
        "journal", "--program-arg", "rate=4MB/s", "--disk", "db-disk", "-o", "json");
    checks.assertJournalHolds("db", checks.stepsBeyond("db", 0));
  }
}
