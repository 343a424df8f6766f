package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.proto.cluster.v1.CancelMigrationRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.HeldMigration;
import dev.pageferry.support.LinuxGuest;
import dev.pageferry.support.MachineOnHost;
import dev.pageferry.support.OneCopyWatch;
import dev.pageferry.support.QemuProcesses;
import dev.pageferry.support.QemuProcesses.Qemu;
import dev.pageferry.support.TestCluster;
import dev.pageferry.support.TickingGuest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The failure table of docs/MIGRATION.md for a machine of QEMU: a live move is cancelled, or one of its agents is killed, at named
 * points. Some points are for every run; {@code -Dpageferry.qemu.failpoints=all} takes all of them, as {@code scripts/soak qemu}
 * does.
 */
class QemuFailureTest {
  private static final String NAME = "ticks";
  private static final List<String> HOSTS = List.of("host-a", "host-b");
  /** As long as machines may outlive their agent, and some. */
  private static final Duration CLEARED = Duration.ofSeconds(90);
  private static final Duration TICKING = Duration.ofSeconds(30);
  /** Less than a QEMU is waited for that does not answer. */
  private static final Duration SOON = Duration.ofSeconds(10);

  /** In the order in which a move comes by. Left out is what only a move that goes back to pre-copy comes by. */
  private static final List<String> BEFORE_COMMIT = List.of("source.setup.welcomed", "destination.setup.configured",
      "destination.setup.accepted", "source.setup.done", "source.pre-copy.round-done", "source.stop-and-copy.paused",
      "destination.stop-and-copy.last-page", "source.stop-and-copy.state-sent",
      "destination.stop-and-copy.before-ready", "source.stop-and-copy.ready", "source.storage-handoff.released",
      "source.storage-handoff.before-commit");
  private static final List<String> AFTER_COMMIT = List.of("source.storage-handoff.decided",
      "source.activation.go-sent", "destination.activation.before-resume");

  /** What is done in every run, which is to end soon: one of each kind. */
  private static final Set<String> ALWAYS = Set.of("CANCEL source.storage-handoff.released",
      "KILL_DESTINATION source.stop-and-copy.ready", "KILL_SOURCE source.storage-handoff.before-commit");

  private enum Blow {
    CANCEL,
    KILL_DESTINATION,
    KILL_SOURCE
  }

  private static TestCluster cluster;

  @TempDir
  Path directory;

  @BeforeAll
  static void start() throws Exception {
    LinuxGuest unused = LinuxGuest.orSkip();
    cluster = TestCluster.start("qemu-failure", "512MiB", "host-a", "host-b");
    cluster.createDisk("boot", Disk.Format.RAW, 1);
    TickingGuest.install(cluster.disk("boot", Disk.Format.RAW));
    cluster.ferryJson("vm", "create", NAME, "--host", "host-a", "--hypervisor", "qemu", "--memory", "64MiB", "--disk",
        "boot", "-o", "json");
    awaitTicks("host-a", 0);
  }

  @AfterAll
  static void stop() throws Exception {
    if (cluster != null) {
      cluster.close();
    }
  }

  @AfterEach
  void letGo() throws Exception {
    cluster.releaseAll();
  }

  private static boolean isWhole() {
    return "all".equals(System.getProperty("pageferry.qemu.failpoints"));
  }

  static Stream<Arguments> blows() {
    boolean all = isWhole();
    return Stream.of(Blow.values())
        .flatMap(blow -> Stream.concat(BEFORE_COMMIT.stream(), AFTER_COMMIT.stream())
            .filter(point -> blow != Blow.CANCEL || BEFORE_COMMIT.contains(point))
            .filter(point -> all || ALWAYS.contains(blow + " " + point))
            .map(point -> Arguments.of(blow, point)));
  }

  @ParameterizedTest
  @MethodSource("blows")
  void oneCopyTicksOnWhateverHappensToAMoveAtAPlace(Blow blow, String point) throws Exception {
    Vm before = cluster.vm(NAME);
    String source = before.getHost();
    String destination = HOSTS.get(1 - HOSTS.indexOf(source));
    try (OneCopyWatch watch = new OneCopyWatch(before.getId())) {
      HeldMigration held = cluster.holdMigration(point.startsWith("source.") ? source : destination, point,
          () -> cluster.migrate(NAME, destination));
      long ticks = ticks(source);
      boolean committed = AFTER_COMMIT.contains(point);
      String place = committed ? destination : source;
      Migration.State end = strike(blow, held, source, destination);
      // An agent that died is followed by one that takes over what is its host's.
      Vm.State settled = Recovery.settled(cluster, NAME);
      Vm after = cluster.vm(NAME);

      assertThat(after.getHost()).as("where the row has it").isEqualTo(place);
      assertThat(settled).as("it goes on by itself").isEqualTo(Vm.State.RUNNING);
      if (blow == Blow.CANCEL) {
        assertThat(end).isEqualTo(Migration.State.CANCELLED);
      } else if (committed) {
        assertThat(end).isEqualTo(Migration.State.COMPLETED);
      }
      awaitTicks(place, ticks);
      awaitNothingElse(after);
      watch.assertOneAtATime();
    }
  }

  @Test
  void aMachineThatDoesNotGoOnWhereItCameIsEndedThereAndGoesOnWhereItWas() throws Exception {
    assumeTrue(isWhole(),
        "SKIPPED: a QEMU that does not answer is given up after 20 s; with -Dpageferry.qemu.failpoints=all it is waited for");
    Vm before = cluster.vm(NAME);
    String destination = HOSTS.get(1 - HOSTS.indexOf(before.getHost()));
    try (OneCopyWatch watch = new OneCopyWatch(before.getId())) {
      HeldMigration held = cluster.holdMigration(destination, "destination.activation.before-resume",
          () -> cluster.migrate(NAME, destination));
      long ticks = ticks(before.getHost());
      MachineOnHost.of(before, destination).signalQemu("STOP");
      await("it is frozen").atMost(TICKING).until(() -> QemuProcesses.of(before.getId()).stream()
          .filter(Qemu::isStopped).map(Qemu::host).toList().equals(List.of(destination)));
      held.release();

      await("it is where it was").atMost(CLEARED).until(() -> cluster.vm(NAME).getHost().equals(before.getHost())
          && cluster.vm(NAME).getState() == Vm.State.RUNNING);
      awaitTicks(before.getHost(), ticks);
      awaitNothingElse(cluster.vm(NAME));
      watch.assertOneAtATime();
    }
  }

  /** Has a host's QEMU be a script, which does that where it is to wait for a state. */
  private void replaceQemu(String host, String instead) throws IOException, InterruptedException {
    Path script = Files.writeString(directory.resolve("qemu"), """
        #!/bin/sh
        case " $* " in *" -incoming "*) %s ;; esac
        exec qemu-system-x86_64 "$@"
        """.formatted(instead));
    Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
    cluster.restartWith(host, "--qemu", script.toString());
  }

  private static Migration end(Migration migration) {
    return cluster.awaitEnd(migration.getId());
  }

  @Test
  void aMoveToWhereTheMachineDoesNotStartEndsWithWhatItSaidAndTheGuestRunsOn() throws Exception {
    Vm before = cluster.vm(NAME);
    String destination = HOSTS.get(1 - HOSTS.indexOf(before.getHost()));
    long ticks = ticks(before.getHost());
    try {
      replaceQemu(destination, "echo this machine is out of order >&2; exit 1");
      assertThat(List.of(end(cluster.migrate(NAME, destination)), end(cluster.migrateQuickly(NAME, destination))))
          .allSatisfy(each -> {
            assertThat(each.getState()).isEqualTo(Migration.State.FAILED);
            assertThat(each.getFailure().getCode()).isEqualTo("DESTINATION_REFUSED");
            assertThat(each.getFailure().getMessage()).contains("this machine is out of order");
          });
      awaitTicks(before.getHost(), ticks);
      awaitNothingElse(before);

      // It has the arguments of a QEMU, and says nothing.
      replaceQemu(destination, "while :; do sleep 1; done");
      Migration hangs = cluster.migrate(NAME, destination);
      await("it waits for its machine").atMost(TICKING).until(() -> QemuProcesses.hostsWithFiles(before.getId())
          .contains(destination));
      var unused = cluster.api().cancelMigration(CancelMigrationRequest.newBuilder().setId(hangs.getId()).build());
      assertThat(end(hangs).getState()).isEqualTo(Migration.State.CANCELLED);
      await("nothing is left of it, although it was not waited for").atMost(SOON)
          .until(() -> QemuProcesses.hostsWithFiles(before.getId()).equals(List.of(before.getHost())));
      awaitTicks(before.getHost(), ticks);
    } finally {
      cluster.restartWith(destination);
    }
  }

  /** Does it, lets everybody go on, and brings back who was killed. @return how the migration ended */
  private static Migration.State strike(Blow blow, HeldMigration held, String source, String destination)
      throws Exception {
    switch (blow) {
      case CANCEL -> {
        var unused = cluster.api().cancelMigration(CancelMigrationRequest.newBuilder().setId(held.id()).build());
        held.release();
      }
      case KILL_DESTINATION -> {
        held.kill(destination);
        cluster.restart(destination);
      }
      case KILL_SOURCE -> {
        held.kill(source);
        cluster.restart(source);
      }
    }
    return held.end().getState();
  }

  private static long ticks(String host) throws IOException {
    return TickingGuest.ticks(QemuProcesses.ram(cluster.vm(NAME).getId(), host));
  }

  /** Its timer has ticked more often than that, and goes on. */
  private static void awaitTicks(String host, long atLeast) {
    await("ticks of " + NAME).atMost(TICKING).ignoreException(IOException.class).until(() -> ticks(host) > atLeast);
    long[] now = {atLeast};
    await("its clock goes on").atMost(TICKING).ignoreException(IOException.class).until(() -> {
      long seen = ticks(host);
      boolean goesOn = now[0] > atLeast && seen > now[0];
      now[0] = seen;
      return goesOn;
    });
  }

  /** The VM has one QEMU and one directory, on the host that has it. */
  private static void awaitNothingElse(Vm vm) {
    await("no QEMU and no memory without an owner").atMost(CLEARED)
        .until(() -> QemuProcesses.of(vm.getId()).stream().map(Qemu::host).toList().equals(List.of(vm.getHost()))
            && QemuProcesses.hostsWithFiles(vm.getId()).equals(List.of(vm.getHost())));
  }
}
