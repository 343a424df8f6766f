package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.CommandResult;
import dev.pageferry.support.TestCluster;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an operator does on a good day, with the programs an operator uses. */
class LiveMigrationTest {
  private static TestCluster cluster;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.start("live", "2GiB", "host-a", "host-b", "host-c");
  }

  @AfterAll
  static void stop() throws Exception {
    cluster.close();
  }

  @Test
  void aBusyVmGoesAroundThreeHostsAndStaysIdenticalToItsTwin() throws Exception {
    cluster.ferryJson("vm", "create", "round", "--host", "host-a", "--memory", "256MiB", "--vcpus", "2", "--program",
        "hotset",
        "--program-arg", "rate=300MB/s", "--program-arg", "workingSet=16MiB", "-o", "json");
    long steps = 0;
    for (String to : new String[]{"host-b", "host-c", "host-a"}) {
      JsonObject migration = cluster.ferryJson("migrate", "live", "round", "--to", to, "-o", "json");
      assertThat(migration.get("state").getAsString()).isEqualTo("COMPLETED");
      assertThat(migration.get("destination").getAsString()).isEqualTo(to);
      JsonObject parts = migration.getAsJsonObject("blackout");
      double sum = parts.entrySet().stream().mapToDouble(each -> each.getValue().getAsDouble()).sum();
      assertThat(sum).isCloseTo(migration.get("blackoutSeconds").getAsDouble(), Offset.offset(1e-6));
      JsonObject verification = cluster.ferryJson("vm", "verify", "round", "-o", "json", "-q");
      assertThat(verification.get("identical").getAsBoolean()).isTrue();
      assertThat(verification.get("host").getAsString()).isEqualTo(to);
      JsonObject vm = cluster.ferryJson("vm", "show", "round", "-o", "json");
      assertThat(vm.get("steps").getAsLong()).isGreaterThan(steps);
      steps = vm.get("steps").getAsLong();
    }
    assertThat(cluster.ferryJson("vm", "show", "round", "-o", "json").get("epoch").getAsLong()).isEqualTo(4);
    cluster.delete("round");
  }

  @Test
  void aVmThatStartedFromAFileMovesAndVerifiesAgainstThatFile(@TempDir Path directory) throws Exception {
    Path image = directory.resolve("ram.img");
    // Real contents: the first pages of this JVM's own class library.
    byte[] modules = new byte[48 << 20];
    try (var in = Files.newInputStream(Path.of(System.getProperty("java.home"), "lib", "modules"))) {
      assertThat(in.readNBytes(modules, 0, modules.length)).isEqualTo(modules.length);
    }
    Files.write(image, modules);
    cluster.ferryJson("vm", "create", "image", "--host", "host-b", "--memory", "64MiB", "--program", "uniform",
        "--program-arg",
        "rate=20MB/s", "--memory-image", image.toString(), "-o", "json");
    assertThat(cluster.migrateAndWait("image", "host-c").getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(cluster.verify("image").getIdentical()).isTrue();
    Files.delete(image);
    CommandResult withoutImage = cluster.ferry("vm", "verify", "image");
    assertThat(withoutImage.exitCode()).isEqualTo(4);
    assertThat(withoutImage.errors()).contains("is not a readable file on this host").hasLineCount(1);
    cluster.delete("image");
  }

  @Test
  void aPausedVmMovesAndStaysPausedWithTheSameDigest() throws Exception {
    cluster.createWriter("paused", "host-a", 32, 2, Map.of("rate", "100MB/s"));
    cluster.ferryJson("vm", "pause", "paused", "-o", "json");
    String before = cluster.ferryJson("vm", "digest", "paused", "-o", "json").get("memoryDigest").getAsString();
    assertThat(cluster.migrateAndWait("paused", "host-b").getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(cluster.vm("paused").getState()).isEqualTo(Vm.State.PAUSED);
    JsonObject after = cluster.ferryJson("vm", "digest", "paused", "-o", "json");
    assertThat(after.get("memoryDigest").getAsString()).isEqualTo(before);
    assertThat(after.get("host").getAsString()).isEqualTo("host-b");
    cluster.ferryJson("vm", "resume", "paused", "-o", "json");
    assertThat(cluster.vm("paused").getState()).isEqualTo(Vm.State.RUNNING);
    cluster.delete("paused");
  }

  @Test
  void whatCannotWorkIsRefusedBeforeAnythingStartsAndSaysWhy() throws Exception {
    cluster.createWriter("small", "host-a", 16, 1, Map.of());
    cluster.createWriter("large", "host-c", 1536, 1, Map.of("rate", "1MB/s"));
    cluster.createWriter("tenant", "host-b", 1536, 1, Map.of("rate", "1MB/s"));
    cluster.assertRefused(3, "does not exist", "migrate", "live", "nobody", "--to", "host-b");
    cluster.assertRefused(3, "is not known", "migrate", "live", "small", "--to", "host-z");
    cluster.assertRefused(4, "is on host host-a already", "migrate", "live", "small", "--to", "host-a");
    cluster.assertRefused(4, "free for guests", "migrate", "live", "large", "--to", "host-b");
    cluster.assertRefused(2, "bandwidth", "migrate", "live", "small", "--to", "host-b", "--max-bandwidth", "1000");
    cluster.assertRefused(2, "no argument", "vm", "create", "odd", "--host", "host-a", "--program-arg", "colour=red");
    cluster.assertRefused(4, "exists already", "vm", "create", "small", "--host", "host-a", "--memory", "16MiB");
    for (String each : new String[]{"--memory-image", "--disk"}) {
      cluster.assertRefused(4, "is not in a directory that this host's agent allows", "vm", "create", "curious",
          "--host",
          "host-a", "--memory", "16MiB", each, "/etc/hostname");
    }
    assertThat(cluster.vm("small").getState()).isEqualTo(Vm.State.RUNNING);
    for (String each : new String[]{"small", "large", "tenant"}) {
      cluster.delete(each);
    }
  }

  @Test
  void watchAsJsonPrintsOneDocumentALineAndTheLastIsFinal() throws Exception {
    cluster.createWriter("watched", "host-a", 64, 1, Map.of("rate", "50MB/s", "fill", "random"));
    CommandResult result = cluster.ferry("migrate", "live", "watched", "--to", "host-b", "--watch", "-o", "json",
        "--max-bandwidth", "100MB/s");
    assertThat(result.exitCode()).as(result.errors()).isZero();
    double done = 0;
    String[] lines = result.output().strip().split("\n");
    for (String line : lines) {
      JsonObject document = JsonParser.parseString(line).getAsJsonObject();
      if (document.has("progress")) {
        assertThat(document.getAsJsonObject("progress").get("done").getAsDouble()).isGreaterThanOrEqualTo(done);
        done = document.getAsJsonObject("progress").get("done").getAsDouble();
      }
    }
    assertThat(lines.length).isGreaterThan(2);
    assertThat(JsonParser.parseString(lines[lines.length - 1]).getAsJsonObject().get("state").getAsString())
        .isEqualTo("COMPLETED");
    cluster.delete("watched");
  }
}
