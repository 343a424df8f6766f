package dev.pageferry.golden;

import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import dev.pageferry.proto.cluster.v1.AddVtepRequest;
import dev.pageferry.proto.cluster.v1.CancelMigrationRequest;
import dev.pageferry.proto.cluster.v1.Codec;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.ListDisksRequest;
import dev.pageferry.proto.cluster.v1.ListHostsRequest;
import dev.pageferry.proto.cluster.v1.ListMigrationsRequest;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.PauseVmRequest;
import dev.pageferry.proto.cluster.v1.SaveVmRequest;
import dev.pageferry.proto.cluster.v1.StartVmRequest;
import dev.pageferry.proto.cluster.v1.StopVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmDigest;
import dev.pageferry.support.Distribution;
import dev.pageferry.support.Failpoint;
import dev.pageferry.support.ServerProcess;
import dev.pageferry.support.TestCluster;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/**
 * Runs a cluster of the version before and keeps what it leaves behind: records with a VM in every phase and every kind of
 * pending move, saved states of every codec, leases. The servers are killed while all of that is under way. Run by {@code
 * scripts/record-previous}.
 */
class VersionRecorder {
  private static final String DIRECTORY = "golden.directory";
  private static final String MEMORY = "512MiB";
  private static final Map<String, String> SLOW = Map.of("rate", "100kB/s", "workingSet", "64KiB");
  private static final Map<String, String> RARE = Map.of("rate", "100kB/s");
  private static final List<String> SHARED = List.of("host-a", "host-b", "host-d");

  private final Path agent = Path.of(System.getProperty(DIRECTORY, "target/golden"), "agent");
  private final Path coordinator = Path.of(System.getProperty(DIRECTORY, "target/golden"), "coordinator");
  private final List<String> digests = new ArrayList<>();

  @Test
  void whatTheVersionBeforeLeavesBehind() throws Exception {
    Files.createDirectories(agent);
    Files.createDirectories(coordinator);
    Map<String, Distribution> agents = new LinkedHashMap<>();
    for (String each : List.of("host-a", "host-b", "host-c", "host-d")) {
      agents.put(each, Distribution.PREVIOUS);
    }
    TestCluster cluster = TestCluster.start("golden", MEMORY,
        new TestCluster.Setup(Distribution.PREVIOUS, agents, Set.of("host-c")));
    try {
      lose(cluster);
      settle(cluster);
      save(cluster);
      move(cluster);
      giveBack(cluster);
      leaveUnderWay(cluster);
      try (ServerProcess replacement = cluster.startReplacement("host-d", MEMORY, Distribution.PREVIOUS)) {
        leaveFenced(cluster);
        keepStorage(cluster);
        cluster.coordinator().kill();
        replacement.kill();
      }
      keepRecords(cluster);
    } finally {
      for (String each : agents.keySet()) {
        cluster.agent(each).kill();
      }
      cluster.close();
    }
    keepWhatIsShown(cluster.records());
  }

  /** A VM that died with its host, and one that is saved because its source died. */
  private static void lose(TestCluster cluster) throws Exception {
    create(cluster, "lost", "host-d", builder -> builder);
    disk(cluster, "saved-by-loss-disk", Disk.Format.VHD, "host-d");
    create(cluster, "saved-by-loss", "host-d",
        builder -> builder.setProgram("journal").putAllProgramArgs(RARE).addDisks("saved-by-loss-disk"));
    Failpoint noted = cluster.hold("host-d", "source.storage-handoff.noted");
    Migration migration = cluster.migrateQuickly("saved-by-loss", "host-b");
    noted.awaitReached();
    cluster.agent("host-d").kill();
    noted.release();
    cluster.awaitEnd(migration.getId());
    cluster.restart("host-d");
    cluster.awaitVm("lost", Vm.State.FAILED, "host-d");
    disk(cluster, "fenced-disk", Disk.Format.VHD, "host-d");
    create(cluster, "fenced", "host-d",
        builder -> builder.setProgram("journal").putAllProgramArgs(RARE).addDisks("fenced-disk"));
  }

  private static void settle(TestCluster cluster) {
    cluster.api().addVtep(AddVtepRequest.newBuilder().setName("router").setAddress("127.0.0.1:4789").setVni(7)
        .build());
    create(cluster, "running", "host-a",
        builder -> builder.setProgram("uniform").putAllProgramArgs(SLOW).setVcpus(2).addNics(
            "02:00:00:00:00:0a@7,ip=10.7.0.10"));
    create(cluster, "paused", "host-a", builder -> builder);
    cluster.api().pauseVm(PauseVmRequest.newBuilder().setName("paused").build());
    disk(cluster, "stopped-vhd", Disk.Format.VHD, "host-a");
    disk(cluster, "stopped-raw", Disk.Format.RAW, "host-a");
    create(cluster, "stopped", "host-a",
        builder -> builder.setProgram("journal").addDisks("stopped-vhd").addDisks("stopped-raw"));
    cluster.api().stopVm(StopVmRequest.newBuilder().setName("stopped").build());
    create(cluster, "deleted", "host-a", builder -> builder);
    cluster.delete("deleted");
    disk(cluster, "held", Disk.Format.VHD, "host-a");
    create(cluster, "with-disk", "host-a",
        builder -> builder.setProgram("journal").putAllProgramArgs(RARE).addDisks("held"));
    disk(cluster, "free", Disk.Format.VHD, "host-a");
  }

  private void save(TestCluster cluster) throws IOException {
    for (Codec.Name codec : List.of(Codec.Name.AUTO, Codec.Name.NONE, Codec.Name.LZ4, Codec.Name.ZSTD)) {
      String name = "saved-" + codec.name().toLowerCase(Locale.ROOT);
      create(cluster, name, "host-a",
          builder -> builder.setProgram(codec == Codec.Name.ZSTD ? "uniform" : "zipf").setVcpus(2)
              .putAllProgramArgs(SLOW));
      keepSaved(cluster, name, codec);
    }
    create(cluster, "saved-filled", "host-a",
        builder -> builder.setProgram("sequential").setMemoryBytes(128 << 10).putProgramArgs("fill", "random")
            .putProgramArgs("rate", "100kB/s"));
    keepSaved(cluster, "saved-filled", Codec.Name.LZ4);
    disk(cluster, "saved-disk", Disk.Format.VHD, "host-a");
    create(cluster, "saved-journal", "host-a",
        builder -> builder.setProgram("journal").putAllProgramArgs(RARE).addDisks("saved-disk"));
    keepSaved(cluster, "saved-journal", Codec.Name.AUTO);
    Files.write(agent.resolve("digests.txt"), digests);
  }

  /** Paused by the operator, so that the digest is of what is saved. */
  private void keepSaved(TestCluster cluster, String name, Codec.Name codec) throws IOException {
    Awaitility.await(name + " has worked").until(() -> cluster.vm(name).getSteps() > 40);
    cluster.api().pauseVm(PauseVmRequest.newBuilder().setName(name).build());
    VmDigest digest = cluster.digest(name);
    cluster.api().saveVm(SaveVmRequest.newBuilder().setName(name).setCodec(codec).build()).forEachRemaining(each -> {
    });
    String id = cluster.vm(name).getId();
    Path kept = Files.createDirectories(agent.resolve("saved")).resolve(name + ".state");
    try (Stream<Path> files = Files.list(cluster.storage().resolve("saved"))) {
      Path file = files.filter(each -> each.getFileName().toString().startsWith(id + ".")).findFirst().orElseThrow();
      Files.copy(file, kept);
    }
    digests.add("%s\t%d\t%s\t%s".formatted(name, digest.getSteps(), digest.getMemoryDigest(),
        digest.getRegistersDigest()));
  }

  private static void move(TestCluster cluster) throws Exception {
    create(cluster, "moved-live", "host-a", builder -> builder);
    cluster.awaitEnd(cluster.api().migrateLive(
        MigrateLiveRequest.newBuilder().setName("moved-live").setTo("host-b").setRequestId("request-1").build())
        .getId());
    create(cluster, "moved-quick", "host-a", builder -> builder);
    cluster.awaitEnd(cluster.migrateQuickly("moved-quick", "host-b").getId());
    disk(cluster, "copied-disk", Disk.Format.VHD, "host-a");
    create(cluster, "copied", "host-a",
        builder -> builder.setProgram("journal").putAllProgramArgs(RARE).addDisks("copied-disk"));
    cluster.awaitEnd(cluster.migrateWithDisks("copied", "host-c").getId());
    create(cluster, "cancelled", "host-a", builder -> builder);
    Failpoint failpoint = cluster.hold("host-a", "source.pre-copy.round-done");
    Migration migration = cluster.migrate("cancelled", "host-b");
    failpoint.awaitReached();
    cluster.api().cancelMigration(CancelMigrationRequest.newBuilder().setId(migration.getId()).build());
    failpoint.release();
    cluster.awaitEnd(migration.getId());
  }

  /** The destination cannot open the disk: its lease is unreadable for a moment. */
  private static void giveBack(TestCluster cluster) throws Exception {
    disk(cluster, "given-back-disk", Disk.Format.VHD, "host-a");
    create(cluster, "given-back", "host-a",
        builder -> builder.setProgram("journal").putAllProgramArgs(RARE).addDisks("given-back-disk"));
    Failpoint failpoint = cluster.hold("host-b", "destination.activation.before-resume");
    Migration migration = cluster.migrate("given-back", "host-b");
    failpoint.awaitReached();
    Path lease = cluster.storage().resolve("leases/disk-given-back-disk.lease");
    byte[] released = Files.readAllBytes(lease);
    Files.writeString(lease, "scribble");
    failpoint.release();
    cluster.awaitEnd(migration.getId());
    Files.write(lease, released);
    cluster.awaitVm("given-back", Vm.State.RUNNING, "host-a");
  }

  /** What is pending when everybody dies. */
  private static void leaveUnderWay(TestCluster cluster) throws Exception {
    create(cluster, "restoring", "host-a", builder -> builder);
    cluster.save("restoring");
    create(cluster, "moving", "host-a", builder -> builder);
    create(cluster, "saving", "host-a", builder -> builder);
    disk(cluster, "noted-disk", Disk.Format.VHD, "host-a");
    create(cluster, "noted", "host-a",
        builder -> builder.setProgram("journal").putAllProgramArgs(RARE).addDisks("noted-disk"));
    Failpoint restoring = cluster.hold("host-b", "restore.before-commit");
    inBackground(() -> cluster.api().startVm(StartVmRequest.newBuilder().setName("restoring").setHost("host-b")
        .build()));
    Failpoint moving = cluster.hold("host-a", "source.pre-copy.round-done");
    cluster.migrate("moving", "host-b");
    Failpoint noted = cluster.hold("host-a", "source.storage-handoff.noted");
    cluster.migrateQuickly("noted", "host-b");
    Failpoint saving = cluster.hold("host-a", "save.before-commit");
    inBackground(() -> cluster.save("saving"));
    for (Failpoint each : List.of(restoring, moving, noted, saving)) {
      each.awaitReached();
    }
    cluster.agent("host-d").freeze();
    inBackground(() -> create(cluster, "creating", "host-d", builder -> builder));
    Awaitility.await("a VM under way").pollInterval(Duration.ofMillis(20)).until(() -> cluster.api()
        .listVms(ListVmsRequest.getDefaultInstance()).getVmsList().stream()
        .anyMatch(each -> each.getName().equals("creating")));
  }

  /** The former agent of host-d stands still with its disk locked: whoever asks for the disk leaves a mark, and no more. */
  private static void leaveFenced(TestCluster cluster) {
    // The first failure leaves the VM stopped, so that it may be asked for elsewhere.
    for (String host : List.of("host-d", "host-a")) {
      try {
        cluster.startVm("fenced", host);
        throw new IllegalStateException("a disk was taken from an agent that has not let go");
      } catch (StatusRuntimeException e) {
        if (!String.valueOf(e.getMessage()).contains("host-d")) {
          throw e;
        }
      }
    }
  }

  private static void inBackground(Runnable call) {
    Thread.ofVirtual().start(() -> {
      try {
        call.run();
      } catch (RuntimeException e) {
        // Its server is killed under it.
      }
    });
  }

  private interface Wish {
    CreateVmRequest.Builder add(CreateVmRequest.Builder builder);
  }

  private static void create(TestCluster cluster, String name, String host, Wish wish) {
    cluster.api().createVm(wish.add(CreateVmRequest.newBuilder().setName(name).setHost(host).setMemoryBytes(4 << 20)
        .setVcpus(1).setProgram("idle")).build());
  }

  private static void disk(TestCluster cluster, String name, Disk.Format format, String host) {
    cluster.api().createDisk(CreateDiskRequest.newBuilder().setName(name).setSizeBytes(1 << 20).setFormat(format)
        .setHost(host).build());
  }

  private void keepStorage(TestCluster cluster) throws IOException {
    Path leases = Files.createDirectories(agent.resolve("leases"));
    try (Stream<Path> files = Files.list(cluster.storage().resolve("leases"))) {
      for (Path each : files.toList()) {
        Files.copy(each, leases.resolve(each.getFileName()));
      }
    }
    Files.copy(cluster.storage().resolve("pageferry-storage"), agent.resolve("pageferry-storage"));
    List<String> footers = new ArrayList<>();
    for (Disk disk : cluster.api().listDisks(ListDisksRequest.getDefaultInstance()).getDisksList()) {
      if (disk.getFormat() == Disk.Format.VHD && SHARED.contains(disk.getHosts(0))) {
        footers.add("%s\t%d\t%s".formatted(disk.getName(), disk.getSizeBytes(),
            footer(cluster.disk(disk.getName(), Disk.Format.VHD))));
      }
    }
    Files.write(agent.resolve("footers.txt"), footers);
  }

  private static String footer(Path file) throws IOException {
    try (RandomAccessFile disk = new RandomAccessFile(file.toFile(), "r")) {
      byte[] footer = new byte[512];
      disk.seek(disk.length() - footer.length);
      disk.readFully(footer);
      return HexFormat.of().formatHex(footer);
    }
  }

  private void keepRecords(TestCluster cluster) throws Exception {
    Path kept = coordinator.resolve("coordinator.db");
    Files.copy(cluster.records().resolve("coordinator.db"), kept);
    Files.copy(cluster.records().resolve("coordinator.db-wal"), coordinator.resolve("coordinator.db-wal"));
    // Whoever closes it last brings the log into the file, and deletes the log.
    try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + kept);
        Statement statement = connection.createStatement()) {
      statement.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    Files.deleteIfExists(coordinator.resolve("coordinator.db-wal"));
    Files.deleteIfExists(coordinator.resolve("coordinator.db-shm"));
  }

  /** What operators see of those records, while no host has been heard yet. */
  private void keepWhatIsShown(Path records) throws Exception {
    Path copy = Files.createTempDirectory(records.toAbsolutePath().getParent(), "shown-");
    Files.copy(coordinator.resolve("coordinator.db"), Files.createDirectories(copy.resolve("data"))
        .resolve("coordinator.db"));
    try (TestCluster cluster = TestCluster.startOn(copy, Distribution.PREVIOUS)) {
      keep("vms.txt", cluster.api().listVms(ListVmsRequest.getDefaultInstance()).getVmsList().stream()
          .sorted(Comparator.comparing(Vm::getName)).toList());
      keep("migrations.txt", cluster.api().listMigrations(ListMigrationsRequest.getDefaultInstance())
          .getMigrationsList());
      keep("hosts.txt", cluster.api().listHosts(ListHostsRequest.getDefaultInstance()).getHostsList());
    } catch (StatusRuntimeException e) {
      throw new IllegalStateException("the version before does not show its own records", e);
    }
  }

  private void keep(String file, List<? extends Message> shown) throws IOException {
    Files.write(coordinator.resolve(file), shown.stream()
        .map(each -> TextFormat.printer().emittingSingleLine(true).printToString(each)).toList());
  }
}
