package dev.pageferry.scenario;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonObject;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.CommandResult;
import dev.pageferry.support.HeldMigration;
import dev.pageferry.support.HeldMove;
import dev.pageferry.support.LinuxGuest;
import dev.pageferry.support.MachineOnHost;
import dev.pageferry.support.TestCluster;
import dev.pageferry.support.TickingGuest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Linux guests under QEMU: what an operator does with them, and what becomes of them by themselves. */
class QemuTest {
  private static final Duration BOOT = Duration.ofSeconds(60);
  private static final Pattern COUNT = Pattern.compile("(?m)^count (\\d+)\\s*$");
  private static final Pattern STREAM = Pattern.compile("(?m)^stream (\\d+)\\s*$");
  private static final Pattern RECORD = Pattern.compile("record (\\d+) ");

  private static LinuxGuest linux;
  private static TestCluster cluster;

  @BeforeAll
  static void start() throws Exception {
    linux = LinuxGuest.orSkip();
    cluster = TestCluster.start("qemu", "1GiB", "host-a", "host-b");
  }

  @AfterAll
  static void stop() throws Exception {
    if (cluster != null) {
      cluster.close();
    }
  }

  private static Path directory(String vm, String host) {
    return Path.of("/dev/shm", "pageferry-" + host + "-" + cluster.vm(vm).getId());
  }

  private static List<Long> counts(String vm, String host) {
    return numbers(vm, host, COUNT);
  }

  private static List<Long> numbers(String vm, String host, Pattern line) {
    return numbersIn(console(vm, host), line);
  }

  private static List<Long> numbersIn(String text, Pattern line) {
    return line.matcher(text).results().map(each -> Long.parseLong(each.group(1))).toList();
  }

  /** Nothing of a VM that is not there now; its host is the one where it is expected. */
  private static String console(String vm, String host) {
    return cluster.vm(vm).getHost().equals(host) ? cluster.console(vm) : "";
  }

  private static void awaitCounting(String vm, String host) {
    int before = counts(vm, host).size();
    await().atMost(BOOT).until(() -> counts(vm, host).size() > before + 2);
  }

  /** One guest, since most of a test's time is a boot. */
  @Test
  void aGuestCountsOnThroughMovesOfEveryKindAndSwitchesItselfOffWhenItIsAsked() throws Exception {
    cluster.ferryJson(linux.create("tux", "host-a", "--append", "console=ttyS0 ferry.hot=1"));
    awaitCounting("tux", "host-a");
    movesTo("host-b", "live", "--streams", "4", "--verify-ram");
    movesTo("host-a", "live");
    movesTo("host-b", "quick");

    cluster.ferryJson("vm", "pause", "tux", "-o", "json");
    cluster.assertRefused(4, "resume it, or stop it with --force", "vm", "stop", "tux");
    String there = cluster.digest("tux").getMemoryDigest();
    assertThat(cluster.migrateAndWait("tux", "host-a").getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(cluster.vm("tux").getState()).isEqualTo(Vm.State.PAUSED);
    assertThat(cluster.digest("tux").getMemoryDigest()).as("every byte of RAM").isEqualTo(there);
    cluster.assertRefused(4, "a real machine, which cannot be replayed", "vm", "verify", "tux");
    cluster.ferryJson("vm", "resume", "tux", "-o", "json");
    awaitCounting("tux", "host-a");

    long saved = counts("tux", "host-a").getLast();
    assertThat(cluster.ferry("vm", "save", "tux").exitCode()).isZero();
    assertThat(cluster.vm("tux").getState()).isEqualTo(Vm.State.SAVED);
    cluster.ferryJson("vm", "start", "tux", "--host", "host-b", "-o", "json");
    awaitCounting("tux", "host-b");
    assertConsecutive("tux", "host-b");
    assertThat(counts("tux", "host-b").getLast()).isGreaterThan(saved);
    CommandResult log = cluster.ferry("vm", "console", "tux", "--log");
    assertThat(log.exitCode()).isZero();
    assertThat(log.output()).contains("count " + saved);

    assertThat(cluster.ferryJson("vm", "stop", "tux", "-o", "json").get("state").getAsString()).isEqualTo("STOPPED");
    assertThat(directory("tux", "host-b")).doesNotExist();
    cluster.delete("tux");
  }

  /** What a guest wrote before a move and after it is one text, without a gap. */
  private static void assertConsecutive(String vm, String host) {
    String text = console(vm, host);
    List<Long> counts = numbersIn(text, COUNT);
    assertThat(counts).as(text).isEqualTo(LongStream.rangeClosed(counts.getFirst(), counts.getLast()).boxed().toList());
  }

  private static void movesTo(String to, String kind, String... more) throws Exception {
    String from = cluster.vm("tux").getHost();
    long before = counts("tux", from).getLast();
    Path left = directory("tux", from);
    List<String> command = new ArrayList<>(List.of("migrate", kind, "tux", "--to", to, "-o", "json"));
    command.addAll(List.of(more));
    JsonObject migration = cluster.ferryJson(command.toArray(String[]::new));
    assertThat(migration.get("state").getAsString()).isEqualTo("COMPLETED");
    awaitCounting("tux", to);
    assertConsecutive("tux", to);
    assertThat(counts("tux", to).getLast()).isGreaterThan(before);
    assertThat(left).doesNotExist();
  }

  /** Two guests: one writes each count to its disk before it shows it, the other reads a stream from it over TCP. */
  @Test
  void aGuestsDiskAndItsConnectionsAreThereWhereverItMoves() throws Exception {
    cluster.createDisk("records", Disk.Format.VHD, 16);
    cluster.ferryJson(linux.create("writes", "host-a", "--append", "console=ttyS0 ferry.ip=10.0.0.1/8 ferry.record=1",
        "--disk", "records", "--nic", "02:00:00:00:00:01"));
    cluster.ferryJson(linux.create("reads", "host-b", "--append",
        "console=ttyS0 ferry.ip=10.0.0.2/8 ferry.stream=10.0.0.1", "--nic", "02:00:00:00:00:02"));
    awaitCounting("writes", "host-a");
    awaitStream();
    for (String to : List.of("host-b", "host-a")) {
      assertThat(cluster.migrateAndWait("writes", to).getState()).isEqualTo(Migration.State.COMPLETED);
      awaitCounting("writes", to);
      awaitStream();
    }
    HeldMigration held = cluster.holdMigration("host-a", "source.storage-handoff.before-commit",
        () -> cluster.migrate("writes", "host-b"));
    assertThat(cluster.ferry("migration", "cancel", held.id()).exitCode()).isZero();
    held.release();
    assertThat(cluster.awaitEnd(held.id()).getState()).isEqualTo(Migration.State.CANCELLED);
    awaitCounting("writes", "host-a");
    awaitStream();
    cluster.ferryJson("migrate", "quick", "writes", "--to", "host-b", "-o", "json");
    awaitCounting("writes", "host-b");
    awaitStream();
    assertThat(numbers("reads", "host-b", STREAM)).isSorted().doesNotHaveDuplicates();
    assertThat(console("reads", "host-b")).doesNotContain("stream ended");

    long shown = counts("writes", "host-b").getLast();
    assertThat(qemuOf("writes").destroyForcibly()).isTrue();
    cluster.awaitVm("writes", Vm.State.FAILED, "host-b");
    cluster.ferryJson("vm", "start", "writes", "-o", "json");
    awaitCounting("writes", "host-b");
    assertThat(counts("writes", "host-b").getFirst()).as("it counts on from its disk").isGreaterThan(shown);
    long last = counts("writes", "host-b").getLast();
    assertThat(records("records.vhd")).startsWith(1L).containsAll(LongStream.rangeClosed(1, last).boxed().toList());
    cluster.delete("writes");
    cluster.delete("reads");
  }

  private static List<Long> records(String disk) throws IOException {
    return RECORD.matcher(Files.readString(cluster.storage().resolve("disks").resolve(disk), ISO_8859_1)).results()
        .map(each -> Long.parseLong(each.group(1))).toList();
  }

  private static void awaitStream() {
    int before = numbers("reads", "host-b", STREAM).size();
    await().atMost(BOOT).until(() -> numbers("reads", "host-b", STREAM).size() > before + 1);
  }

  @Test
  void aGuestIsFailedOnceItsQemuDiesAndIsStartedAnew() throws Exception {
    bootFromDisk("crash", "host-b");
    assertThat(qemuOf("crash").destroyForcibly()).isTrue();
    cluster.awaitVm("crash", Vm.State.FAILED, "host-b");
    assertThat(cluster.vm("crash").getReason()).contains("QEMU ended (signal 9)");

    cluster.ferryJson("vm", "start", "crash", "-o", "json");
    awaitTicking("crash");
    Path left = directory("crash", "host-b");
    cluster.delete("crash");
    assertThat(left).doesNotExist();
  }

  /** Boots in a second, and needs no kernel. */
  private static void bootFromDisk(String vm, String host) throws Exception {
    cluster.createDisk("boot-" + vm, Disk.Format.RAW, 1);
    TickingGuest.install(cluster.disk("boot-" + vm, Disk.Format.RAW));
    Vm _ = cluster.createMachine(vm, host, 64, "boot-" + vm);
    awaitTicking(vm);
  }

  /** What is left to the host, too: the type that an alias stands for, and the accelerator. */
  @Test
  void aMachineBootsFromACdromAndMovesWithWhatItsHostChose() throws Exception {
    cluster.createDisk("iso", Disk.Format.RAW, 1);
    TickingGuest.installOnCd(cluster.disk("iso", Disk.Format.RAW));
    cluster.ferryJson("vm", "create", "cd", "--host", "host-a", "--hypervisor", "qemu", "--memory", "64MiB",
        "--machine",
        "q35", "--cdrom", "iso", "--qemu-arg", "rtc=base=localtime", "-o", "json");
    awaitTicking("cd");
    JsonObject shown = cluster.ferryJson("vm", "show", "cd", "-o", "json");
    JsonObject machine = shown.getAsJsonObject("qemu");
    assertThat(machine.get("machine").getAsString()).matches("pc-q35-\\d+\\.\\d+");
    assertThat(machine.get("accel").getAsString()).isIn("kvm", "tcg");
    assertThat(machine.has("accelReason")).isEqualTo(machine.get("accel").getAsString().equals("tcg"));
    JsonObject there = shown.getAsJsonArray("destinations").get(0).getAsJsonObject();
    assertThat(there.get("host").getAsString()).isEqualTo("host-b");
    assertThat(there.get("eligible").getAsBoolean()).as(there.toString()).isTrue();
    cluster.assertRefused(4, "disk iso is VM cd's", linux.create("none", "host-a", "--cdrom", "iso"));

    moves("cd", "live", "host-b");
    cluster.agent("host-a").awaitLog(Pattern.compile("vm=cd written pages come from QEMU's stream.* --qemu-arg"));
    awaitTicking("cd");
    moves("cd", "quick", "host-a");
    awaitTicking("cd");
    cluster.delete("cd");
  }

  /** Its firmware is in flash memory, which goes ahead of the rest where the guest runs, and is more than fits into one message where it does not, each time. */
  @Test
  void aMachineWithUefiMovesAndIsSavedWithItsFlashMemory() throws Exception {
    assumeTrue(Files.exists(Path.of("/usr/share/OVMF/OVMF_CODE_4M.fd")),
        "UEFI firmware (ovmf) is not installed: its machines are not tested");
    cluster.ferryJson(linux.createOf("256MiB", "efi", "host-a", "--firmware", "uefi", "--append", "console=ttyS0"));
    awaitCounting("efi", "host-a");
    assertThat(console("efi", "host-a")).contains("booted by UEFI");
    assertThat(
        cluster.ferryJson("vm", "show", "efi", "-o", "json").getAsJsonObject("qemu").get("firmware").getAsString())
        .isEqualTo("uefi");
    moves("efi", "live", "host-b");
    awaitCounting("efi", "host-b");
    moves("efi", "quick", "host-a");
    awaitCounting("efi", "host-a");
    cluster.pause("efi");
    HeldMove.afterOneThatWasPutOff(cluster, "efi", "host-b").assertSameRam().complete();
    cluster.resume("efi");
    awaitCounting("efi", "host-b");
    assertConsecutive("efi", "host-b");
    assertThat(console("efi", "host-b")).contains("booted by UEFI, time 1");
    cluster.ferryJson("vm", "stop", "efi", "--force", "-o", "json");
    // Where it has not been stopped: what it has in its variables is on the storage of both.
    cluster.ferryJson("vm", "start", "efi", "--host", "host-a", "-o", "json");
    awaitCounting("efi", "host-a");
    assertThat(console("efi", "host-a")).contains("booted by UEFI, time 2");
    cluster.delete("efi");
  }

  private static void moves(String vm, String kind, String to) {
    Migration begun = kind.equals("live") ? cluster.migrate(vm, to) : cluster.migrateQuickly(vm, to);
    assertThat(cluster.awaitEnd(begun.getId()).getState()).isEqualTo(Migration.State.COMPLETED);
  }

  private static void awaitTicking(String vm) {
    int before = cluster.console(vm).length();
    await().atMost(BOOT).until(() -> cluster.console(vm).length() > before + 3);
  }

  private static ProcessHandle qemuOf(String vm) {
    Vm now = cluster.vm(vm);
    return MachineOnHost.of(now, now.getHost()).qemu().orElseThrow();
  }

  @Test
  void whatCannotRunIsRefusedWithTheReason() throws Exception {
    cluster.assertRefused(2, "needs --kernel", "vm", "create", "none", "--host", "host-a", "--hypervisor", "qemu");
    cluster.assertRefused(2, "neither builtin nor qemu", "vm", "create", "none", "--host", "host-a", "--hypervisor",
        "xen");
    cluster.assertRefused(4, "is not in a directory that this host's agent allows", "vm", "create", "none", "--host",
        "host-a", "--hypervisor", "qemu", "--memory", "64MiB", "--kernel", "/etc/passwd");
    cluster.assertRefused(2, "name one with a version", linux.create("none", "host-a", "--machine", "isapc"));
    cluster.assertRefused(4, "has no machine type 'pc-q35-99.0'", linux.create("none", "host-a", "--machine",
        "pc-q35-99.0"));
    cluster.assertRefused(4, "(--allow-qemu-arg: rtc)", linux.create("none", "host-a", "--qemu-arg", "device=VGA"));
    cluster.assertRefused(2, "one that the agent gives itself", linux.create("none", "host-a", "--qemu-arg", "S"));
    CommandResult odd = cluster.ferry(linux.create("none", "host-a", "--cpu", "no-such-model"));
    assertThat(odd.exitCode()).isNotZero();
    assertThat(odd.errors()).contains("no-such-model").hasLineCount(1);
    assertThat(cluster.ferry("vm", "show", "none").exitCode()).isEqualTo(3);
  }
}
