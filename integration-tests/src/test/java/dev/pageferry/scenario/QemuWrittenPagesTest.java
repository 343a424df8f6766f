package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.HeldMigration;
import dev.pageferry.support.LinuxGuest;
import dev.pageferry.support.MachineOnHost;
import dev.pageferry.support.TestCluster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Guests whose written pages are told by the kernel, or by QEMU's stream where the kernel does not. */
class QemuWrittenPagesTest {
  private static final Duration BOOT = Duration.ofSeconds(60);
  private static final Duration SOON = Duration.ofSeconds(15);
  private static final Pattern COUNT = Pattern.compile("(?m)^count (\\d+)\\s*$");
  /** The pause got too long. */
  private static final Pattern RUNS_AGAIN = Pattern.compile(
      "(?s)vm=back stage=\\w+ enters STOP_AND_COPY.*vm=back stage=\\w+ enters PRE_COPY");
  /** Of a mapping, in smaps: it is watched for writes. Source: {@code proc_pid_smaps(5)}. */
  private static final Pattern WATCHED = Pattern.compile("VmFlags:.* uw( |$)");

  private static LinuxGuest linux;
  private static TestCluster cluster;

  @BeforeAll
  static void start() throws Exception {
    linux = LinuxGuest.orSkip();
    cluster = TestCluster.start("qemu-written", "512MiB", "host-a", "host-b");
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

  private static void boot(String vm) throws Exception {
    cluster
        .ferryJson(linux.createOf("128MiB", vm, "host-a", "--append", "console=ttyS0 ferry.hot=1"));
    awaitCounting(vm);
  }

  private static List<Long> counts(String vm) {
    return COUNT.matcher(cluster.console(vm)).results().map(each -> Long.parseLong(each.group(1))).toList();
  }

  private static void awaitCounting(String vm) {
    int before = counts(vm).size();
    await().atMost(BOOT).ignoreExceptions().until(() -> counts(vm).size() > before + 2);
  }

  /** Both hosts hash all of its RAM while it is paused, and compare. */
  private static void move(String vm, String from, String to, String who) throws Exception {
    cluster.ferryJson("migrate", "live", vm, "--to", to, "--verify-ram", "-o", "json");
    cluster.agent(from).awaitLog(Pattern.compile("vm=" + vm + " written pages come from " + who));
    awaitCounting(vm);
  }

  private static void assumeTheKernelTells() throws IOException {
    assumeTrue(!cluster.agent("host-a").logOfThisStart().contains("not from the kernel: this kernel"),
        "this kernel does not tell which pages a process writes");
  }

  @Test
  void theRamOfAGuestIsTheSameWhoeverTellsWhichPagesItWrites() throws Exception {
    cluster.restartWith("host-b", "--written-pages", "stream");
    boot("told");
    cluster.agent("host-a").kill();
    cluster.restart("host-a");
    cluster.awaitVm("told", Vm.State.RUNNING, "host-a");

    cluster.ferryJson("migrate", "live", "told", "--to", "host-b", "--verify-ram", "-o", "json");
    assumeTheKernelTells();
    cluster.agent("host-a").awaitLog(Pattern.compile("vm=told written pages come from the kernel"));
    awaitCounting("told");
    move("told", "host-b", "host-a", "QEMU's stream, not from the kernel: .*--written-pages stream");
    move("told", "host-a", "host-b", "the kernel");
    cluster.restartWith("host-b");
    cluster.awaitVm("told", Vm.State.RUNNING, "host-b");
    move("told", "host-b", "host-a", "QEMU's stream, not from the kernel: .* did not prepare it");
    cluster.delete("told");
  }

  @Test
  void aMoveThatIsPutOffSendsWhatTheGuestWroteSince() throws Exception {
    boot("back");
    HeldMigration held = cluster.holdMigration("host-b", "destination.stop-and-copy.before-ready",
        () -> cluster.migrate("back", "host-b"));
    cluster.agent("host-a").awaitLog(RUNS_AGAIN);
    held.release();

    assertThat(cluster.awaitEnd(held.id()).getState()).isEqualTo(Migration.State.COMPLETED);
    awaitCounting("back");
    List<Long> counts = counts("back");
    assertThat(counts).isEqualTo(LongStream.rangeClosed(counts.getFirst(), counts.getLast()).boxed().toList());
    cluster.delete("back");
  }

  @Test
  void aMachineIsWatchedOnlyWhileItMovesAndNotAfterTheDeathOfItsAgent() throws Exception {
    boot("watched");
    MachineOnHost machine = MachineOnHost.of(cluster.vm("watched"), "host-a");
    assertThat(isWatched(machine)).isFalse();
    HeldMigration held = cluster.holdMigration("host-a", "source.pre-copy.round-done",
        () -> cluster.migrate("watched", "host-b"));
    assumeTheKernelTells();
    assertThat(isWatched(machine)).isTrue();
    assertThat(cluster.ferry("migration", "cancel", held.id()).exitCode()).isZero();
    held.release();
    assertThat(cluster.awaitEnd(held.id()).getState()).isEqualTo(Migration.State.CANCELLED);
    await().atMost(SOON).until(() -> !isWatched(machine));

    HeldMigration second = cluster.holdMigration("host-a", "source.pre-copy.round-done",
        () -> cluster.migrate("watched", "host-b"));
    assertThat(isWatched(machine)).isTrue();
    second.kill("host-a");
    assertThat(isWatched(machine)).as("nobody ends it before the next agent").isTrue();
    cluster.restart("host-a");
    cluster.awaitVm("watched", Vm.State.RUNNING, "host-a");
    assertThat(isWatched(machine)).isFalse();
    awaitCounting("watched");

    move("watched", "host-a", "host-b", "the kernel");
    cluster.delete("watched");
  }

  private static boolean isWatched(MachineOnHost machine) throws IOException {
    boolean isRam = false;
    for (String line : Files.readAllLines(Path.of("/proc", String.valueOf(machine.qemu().orElseThrow().pid()),
        "smaps"))) {
      if (line.startsWith("VmFlags:")) {
        if (isRam && WATCHED.matcher(line).find()) {
          return true;
        }
        isRam = false;
      } else if (line.endsWith(machine.directory() + "/ram")) {
        isRam = true;
      }
    }
    return false;
  }
}
