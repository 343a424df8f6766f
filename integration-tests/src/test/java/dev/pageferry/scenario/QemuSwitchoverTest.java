package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.proto.cluster.v1.CancelMigrationRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.BusyGuest;
import dev.pageferry.support.BusyGuest.Wakefulness;
import dev.pageferry.support.HeldMove;
import dev.pageferry.support.LinuxGuest;
import dev.pageferry.support.QemuProcesses;
import dev.pageferry.support.TestCluster;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** QEMU guests whose switchover is put off, or is tried again by another move, or does not come about before they are held back. */
class QemuSwitchoverTest {
  private static final Duration BOOT = Duration.ofSeconds(60);
  private static final Duration SOON = Duration.ofSeconds(30);
  private static final Duration SAMPLE = Duration.ofMillis(300);
  private static final Pattern COUNT = Pattern.compile("(?m)^count (\\d+)\\s*$");
  /** 16 MiB that are written again and again take more than the downtime limit. */
  private static final long SLOW = 20_000_000;
  /** Of its time, for a guest that is held back for a quarter of it at least. */
  private static final double HELD_BACK = 0.75;
  private static final double NOT_HELD_BACK = 0.95;

  private static LinuxGuest linux;
  private static TestCluster cluster;

  @BeforeAll
  static void start() throws Exception {
    linux = LinuxGuest.orSkip();
    cluster = TestCluster.start("qemu-switchover", "512MiB", "host-a", "host-b");
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

  private static List<Long> counts() {
    return COUNT.matcher(cluster.console("tux")).results().map(each -> Long.parseLong(each.group(1))).toList();
  }

  private static void awaitCounting() {
    long before = counts().stream().mapToLong(each -> each).max().orElse(0);
    await().atMost(BOOT).until(() -> !counts().isEmpty() && counts().getLast() > before + 2);
  }

  /** What it wrote is one text, without a gap, wherever it was. */
  private static void assertNothingMissing() {
    List<Long> counts = counts();
    assertThat(counts).isEqualTo(LongStream.rangeClosed(counts.getFirst(), counts.getLast()).boxed().toList());
  }

  /** One guest, since most of a test's time is a boot. */
  @Test
  void aGuestIsWholeAtItsSecondSwitchoverWhetherItRanInBetweenOrWasPausedAllTheTime() throws Exception {
    cluster.ferryJson(linux.create("tux", "host-a", "--append", "console=ttyS0 ferry.hot=1"));
    awaitCounting();
    HeldMove.afterOneThatWasPutOff(cluster, "tux", "host-b", QemuSwitchoverTest::awaitCounting).assertSameRam()
        .complete();
    awaitCounting();

    cluster.pause("tux");
    String paused = cluster.digest("tux").getMemoryDigest();
    HeldMove.afterOneThatWasPutOff(cluster, "tux", "host-a").assertSameRam().complete();
    assertThat(cluster.digest("tux").getMemoryDigest()).isEqualTo(paused);

    // By another move, after one that was refused its commit.
    HeldMove.atOnce(cluster, "tux", "host-b").assertSameRam().cancel();
    HeldMove.atOnce(cluster, "tux", "host-b").assertSameRam().complete();
    assertThat(cluster.vm("tux").getState()).isEqualTo(Vm.State.PAUSED);
    assertThat(cluster.digest("tux").getMemoryDigest()).isEqualTo(paused);
    cluster.resume("tux");
    awaitCounting();
    assertNothingMissing();
    cluster.delete("tux");
  }

  private static Migration beginSlowly(String to) {
    return cluster.api().migrateLive(MigrateLiveRequest.newBuilder().setName("busy").setTo(to)
        .setMaxBandwidthBytesPerSecond(SLOW).setVerifyRam(true).build());
  }

  /** For a while: a vCPU waits for QEMU now and then, too. */
  private static void awaitHeldBack(Migration migration, Wakefulness guest) {
    await("it is to be held back").atMost(SOON).pollInterval(SAMPLE).until(
        () -> cluster.migration(migration.getId()).getProgress().getThrottlePercent() > 100 * (1 - HELD_BACK));
    await("it is held back").atMost(SOON).during(SAMPLE.multipliedBy(4)).pollInterval(SAMPLE)
        .untilAsserted(() -> assertThat(guest.sinceLast()).as("of its time awake").isLessThan(HELD_BACK));
  }

  private static void awaitNotHeldBack(Wakefulness guest) {
    await("it is not held back any more").atMost(SOON).pollInterval(SAMPLE)
        .until(() -> guest.sinceLast() > NOT_HELD_BACK);
  }

  @Test
  void aGuestThatWritesFasterThanTheLinkIsHeldBackUntilItsMoveEndsAndNoLonger() throws Exception {
    cluster.createDisk("boot", Disk.Format.RAW, 1);
    BusyGuest.install(cluster.disk("boot", Disk.Format.RAW));
    String id = cluster.createMachine("busy", "host-a", 64, "boot").getId();
    Wakefulness there = new Wakefulness(id, "host-a");
    awaitNotHeldBack(there);

    Migration cancelled = beginSlowly("host-b");
    awaitHeldBack(cancelled, there);
    var unused = cluster.api().cancelMigration(CancelMigrationRequest.newBuilder().setId(cancelled.getId()).build());
    assertThat(cluster.awaitEnd(cancelled.getId()).getState()).isEqualTo(Migration.State.CANCELLED);
    awaitNotHeldBack(there);

    Migration migration = beginSlowly("host-b");
    awaitHeldBack(migration, there);
    BusyGuest.writes(QemuProcesses.ram(id, "host-a"), false);
    assertThat(cluster.awaitEnd(migration.getId()).getState()).isEqualTo(Migration.State.COMPLETED);
    awaitNotHeldBack(new Wakefulness(id, "host-b"));
    cluster.delete("busy");
  }
}
