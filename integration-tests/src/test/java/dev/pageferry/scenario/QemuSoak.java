package dev.pageferry.scenario;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.proto.cluster.v1.ResumeVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.LinuxGuest;
import dev.pageferry.support.OneCopyWatch;
import dev.pageferry.support.QemuProcesses;
import dev.pageferry.support.QemuProcesses.Qemu;
import dev.pageferry.support.TestCluster;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/**
 * Kills agents, the coordinator and QEMUs at random moments of what is done with a Linux guest, and freezes agents; run by
 * {@code scripts/soak qemu}. The guest writes each count to its disk before it shows it on its console. The seed decides what is
 * done, who is hit and when; the moments are real time, so the same seed hits the same neighbourhood, not the same instruction.
 */
class QemuSoak {
  private static final String NAME = "db";
  private static final int LONGEST_DELAY_MILLIS = 2500;
  /** Beyond the leases of a host, and of its disks. */
  private static final int LONGEST_FREEZE_MILLIS = 15_000;
  /** As long as machines may outlive their agent, and some. */
  private static final Duration CLEARED = Duration.ofSeconds(90);
  private static final Duration COUNTS = Duration.ofSeconds(120);
  private static final Pattern COUNT = Pattern.compile("(?m)^count (\\d+)\\s*$");
  private static final Pattern RECORD = Pattern.compile("record (\\d+) ");

  private enum Operation {
    LIVE,
    QUICK,
    SAVE,
    RESTORE
  }

  private enum Blow {
    KILL_SOURCE,
    KILL_DESTINATION,
    KILL_COORDINATOR,
    KILL_QEMU_OF_SOURCE,
    KILL_QEMU_OF_DESTINATION,
    FREEZE_SOURCE,
    FREEZE_DESTINATION
  }

  private record Round(Operation operation, Blow blow, int delayMillis, int freezeMillis, String from, String to) {
    /** The host that is hit; the coordinator has none. */
    String host() {
      return switch (blow) {
        case KILL_SOURCE, KILL_QEMU_OF_SOURCE, FREEZE_SOURCE -> from;
        case KILL_DESTINATION, KILL_QEMU_OF_DESTINATION, FREEZE_DESTINATION -> to;
        case KILL_COORDINATOR -> "coordinator";
      };
    }
  }

  private final long seed = Long.getLong("soak.seed", 1);
  private final int kills = Integer.getInteger("soak.kills", 40);
  private final Random random = new Random(seed);

  @Test
  void blowsAtRandomMomentsLoseNothingAndLeaveNoSecondCopy() throws Exception {
    LinuxGuest linux = LinuxGuest.orSkip();
    try (TestCluster cluster = TestCluster.start("qemu-soak", "1GiB", "host-a", "host-b")) {
      cluster.ferryJson("disk", "create", "records", "--size", "64MiB", "--format", "vhd", "-o", "json");
      cluster.ferryJson(linux.create(NAME, "host-a", "--append", "console=ttyS0 ferry.record=1 ferry.hot=1", "--disk",
          "records"));
      try (OneCopyWatch watch = new OneCopyWatch(cluster.vm(NAME).getId())) {
        long shown = awaitCountBeyond(cluster, 0);
        for (int kill = 1; kill <= kills; kill++) {
          shown = strikeOnce(cluster, kill, shown);
          watch.assertOneAtATime();
        }
      }
    } catch (AssertionError | Exception e) {
      throw new AssertionError("scripts/soak qemu --seed %d --kills %d".formatted(seed, kills), e);
    }
  }

  /** @return the last count that the guest has shown in the end */
  private long strikeOnce(TestCluster cluster, int kill, long shownBefore) throws Exception {
    String from = cluster.vm(NAME).getHost();
    Round round = new Round(Operation.values()[random.nextInt(Operation.values().length)],
        Blow.values()[random.nextInt(Blow.values().length)], random.nextInt(LONGEST_DELAY_MILLIS),
        100 + random.nextInt(LONGEST_FREEZE_MILLIS), from, from.equals("host-a") ? "host-b" : "host-a");
    long shown = Math.max(shownBefore, lastCount(cluster));
    if (round.operation() == Operation.RESTORE) {
      cluster.save(NAME);
    }
    Thread running = Thread.ofVirtual().start(() -> carryOut(cluster, round));
    Thread.sleep(round.delayMillis());
    // Whatever it has shown is acknowledged, also if it showed it in the middle of all this.
    shown = Math.max(shown, lastCount(cluster));
    strike(cluster, round);
    running.join();

    Vm.State settled = Recovery.settled(cluster, NAME);
    Vm vm = Recovery.running(cluster, NAME, settled, round.to());
    long after = awaitCountBeyond(cluster, shown);
    List<Long> counts = counts(cluster);
    assertThat(counts).as("counts on the console")
        .isEqualTo(LongStream.rangeClosed(counts.getFirst(), counts.getLast()).boxed().toList());
    if (settled == Vm.State.FAILED) {
      assertThat(counts.getFirst()).as("it has booted, and counts on from its disk").isGreaterThan(shown);
    }
    assertOnDisk(cluster, after);
    awaitNothingElse(vm);
    System.out.printf("%d of %d: %s from %s, %s after %d ms%s: %s, %d records%n", kill, kills, round.operation(), from,
        round.blow(), round.delayMillis(),
        round.blow().name().startsWith("FREEZE") ? " for %d ms".formatted(round.freezeMillis()) : "", settled, after);
    return after;
  }

  private static void carryOut(TestCluster cluster, Round round) {
    try {
      switch (round.operation()) {
        case LIVE -> cluster.migrate(NAME, round.to());
        case QUICK -> cluster.migrateQuickly(NAME, round.to());
        case SAVE -> cluster.save(NAME);
        case RESTORE -> cluster.startVm(NAME, round.to());
      }
    } catch (StatusRuntimeException e) {
      // Somebody is hit under it; what became of the VM is looked at afterwards.
    }
  }

  /** Hits, and brings back who was hit. */
  private static void strike(TestCluster cluster, Round round) throws Exception {
    switch (round.blow()) {
      case KILL_SOURCE, KILL_DESTINATION -> {
        cluster.agent(round.host()).kill();
        cluster.restart(round.host());
      }
      case KILL_COORDINATOR -> {
        cluster.coordinator().kill();
        cluster.restartCoordinator();
      }
      case KILL_QEMU_OF_SOURCE, KILL_QEMU_OF_DESTINATION -> {
        for (Qemu each : QemuProcesses.of(cluster.vm(NAME).getId())) {
          if (each.host().equals(round.host())) {
            ProcessHandle.of(each.pid()).ifPresent(ProcessHandle::destroyForcibly);
          }
        }
      }
      case FREEZE_SOURCE, FREEZE_DESTINATION -> {
        cluster.agent(round.host()).freeze();
        try {
          Thread.sleep(round.freezeMillis());
        } finally {
          cluster.agent(round.host()).thaw();
        }
        if (!cluster.agent(round.host()).isAlive()) {
          cluster.restart(round.host());
        }
      }
    }
  }

  private static List<Long> counts(TestCluster cluster) {
    return COUNT.matcher(cluster.console(NAME)).results().map(each -> Long.parseLong(each.group(1))).toList();
  }

  /** 0 where its console cannot be asked now. */
  private static long lastCount(TestCluster cluster) {
    List<Long> counts = counts(cluster);
    return counts.isEmpty() ? 0 : counts.getLast();
  }

  /** Waits until the guest counts on, and does what its state tells an operator to do. @return its last count */
  private static long awaitCountBeyond(TestCluster cluster, long count) {
    return await("the guest counts beyond " + count).atMost(COUNTS).pollInterval(Duration.ofMillis(300)).until(() -> {
      try {
        Vm vm = cluster.vm(NAME);
        if (vm.getReason().contains("ferry vm resume")) {
          Vm unused = cluster.api().resumeVm(ResumeVmRequest.newBuilder().setName(NAME).build());
        }
      } catch (StatusRuntimeException e) {
        // It goes on by itself, or is asked again.
      }
      return lastCount(cluster);
    }, last -> last > count + 3);
  }

  /** All that it has shown is on its disk. */
  private static void assertOnDisk(TestCluster cluster, long shown) throws IOException {
    Set<Long> records = new HashSet<>();
    RECORD.matcher(Files.readString(cluster.storage().resolve("disks/records.vhd"), ISO_8859_1)).results()
        .forEach(each -> records.add(Long.parseLong(each.group(1))));
    assertThat(LongStream.rangeClosed(1, shown).filter(each -> !records.contains(each)).boxed().toList())
        .as("records that were shown and are not on the disk").isEmpty();
  }

  /** The VM has one QEMU and one directory, on the host that has it. */
  private static void awaitNothingElse(Vm vm) {
    await("no QEMU and no memory without an owner").atMost(CLEARED)
        .until(() -> QemuProcesses.of(vm.getId()).stream().map(Qemu::host).toList().equals(List.of(vm.getHost()))
            && QemuProcesses.hostsWithFiles(vm.getId()).equals(List.of(vm.getHost())));
  }
}
