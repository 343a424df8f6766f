package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.journal.JournalReader.Journal;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.CommandResult;
import dev.pageferry.support.Distribution;
import dev.pageferry.support.StorageChecks;
import dev.pageferry.support.TestCluster;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Moves a VM with a journal back and forth in clusters whose servers are partly of the version before; run by {@code
 * scripts/soak mixed}. Some moves are left alone and must complete; in the others a server is killed at a random moment and
 * comes back, often in the other version: updated, or rolled back. The seed decides what is done, who is killed and when.
 */
@Timeout(value = 6, unit = TimeUnit.HOURS)
class MixedVersionsSoak {
  private static final String COORDINATOR = "coordinator";
  private static final List<String> HOSTS = List.of("host-a", "host-b");
  private static final Duration LONGEST_OPERATION = Duration.ofMinutes(3);
  private static final int LONGEST_DELAY_MILLIS = 900;

  private enum Operation {
    SAVE_AND_RESTORE,
    QUICK,
    LIVE,
    SHARED_NOTHING
  }

  private final long seed = Long.getLong("soak.seed", 1);
  private final int moves = Integer.getInteger("soak.moves", 20);
  private Random random = new Random();
  /** Which version each server is of now. */
  private final Map<String, Distribution> versions = new TreeMap<>();

  @Test
  void theCoordinatorOfBeforeWithAgentsOfBothVersions() throws Exception {
    soak(Distribution.PREVIOUS, false, false);
  }

  @Test
  void thisCoordinatorWithAgentsOfBothVersions() throws Exception {
    soak(Distribution.PRESENT, false, false);
  }

  @Test
  void aCoordinatorThatIsUpdatedAndRolledBackWithAgentsOfBothVersions() throws Exception {
    soak(Distribution.PREVIOUS, true, false);
  }

  @Test
  void disksThatAreCopiedBetweenAgentsOfBothVersions() throws Exception {
    soak(Distribution.PRESENT, true, true);
  }

  private void soak(Distribution coordinator, boolean coordinatorChanges, boolean copiesDisks) throws Exception {
    random = new Random(seed * 31 + Objects.hash(coordinator.toString(), coordinatorChanges, copiesDisks));
    // Of each version one, the older first where the coordinator is the newer.
    Distribution first = coordinator.equals(Distribution.PRESENT) ? Distribution.PREVIOUS : Distribution.PRESENT;
    Map<String, Distribution> agents = new TreeMap<>(Map.of("host-a", first, "host-b", coordinator));
    versions.putAll(agents);
    versions.put(COORDINATOR, coordinator);
    try (TestCluster cluster = TestCluster.start("mixed", "1GiB",
        new TestCluster.Setup(coordinator, agents, copiesDisks ? Set.copyOf(HOSTS) : Set.of()))) {
      StorageChecks checks = new StorageChecks(cluster);
      create(cluster);
      long steps = checks.stepsBeyond("db", 0);
      List<Operation> operations = copiesDisks
          ? List.of(Operation.SHARED_NOTHING)
          : List.of(Operation.SAVE_AND_RESTORE, Operation.QUICK, Operation.LIVE);
      for (int move = 1; move <= moves; move++) {
        Operation operation = operations.get(random.nextInt(operations.size()));
        boolean kills = random.nextBoolean();
        steps = kills
            ? killDuring(cluster, checks, operation, coordinatorChanges, steps)
            : carryOutInPeace(cluster, checks, operation, steps);
        System.out.printf("move %d of %d: %s%s, now on %s; %s%n", move, moves, operation, kills ? ", killed" : "",
            cluster.vm("db").getHost(), versions);
      }
      bothCommandsAreServed(cluster);
      cluster.delete("db");
    } catch (AssertionError | Exception e) {
      throw new AssertionError("scripts/soak mixed --seed %d --moves %d; versions %s".formatted(seed, moves, versions),
          e);
    }
  }

  private static void create(TestCluster cluster) {
    cluster.api().createDisk(CreateDiskRequest.newBuilder().setName("db-disk").setSizeBytes(16 << 20)
        .setFormat(Disk.Format.VHD).setHost("host-a").build());
    cluster.api().createVm(CreateVmRequest.newBuilder().setName("db").setHost("host-a").setMemoryBytes(64 << 20)
        .setVcpus(2).setProgram("journal").putAllProgramArgs(Map.of("rate", "4MB/s", "fill", "random"))
        .addDisks("db-disk").addNics("02:00:00:00:00:0b@9,ip=10.9.0.11").build());
  }

  /** @return steps acknowledged in the end */
  private static long carryOutInPeace(TestCluster cluster, StorageChecks checks, Operation operation, long steps)
      throws IOException {
    String to = elsewhere(cluster);
    switch (operation) {
      case LIVE -> assertCompleted(cluster, cluster.migrate("db", to));
      case QUICK -> assertCompleted(cluster, cluster.migrateQuickly("db", to));
      case SHARED_NOTHING -> assertCompleted(cluster, cluster.migrateWithDisks("db", to));
      case SAVE_AND_RESTORE -> {
        cluster.save("db");
        cluster.startVm("db", to);
      }
    }
    cluster.awaitVm("db", Vm.State.RUNNING, to);
    return verify(cluster, checks, steps);
  }

  private static void assertCompleted(TestCluster cluster, Migration migration) {
    Migration ended = cluster.awaitEnd(migration.getId());
    assertThat(ended.getState()).as("%s: %s", ended.getId(), ended.getFailure()).isEqualTo(Migration.State.COMPLETED);
  }

  /** @return steps acknowledged in the end */
  private long killDuring(TestCluster cluster, StorageChecks checks, Operation operation, boolean coordinatorChanges,
      long steps) throws Exception {
    String victim = random.nextInt(coordinatorChanges ? 2 : 4) == 0 ? COORDINATOR : HOSTS.get(random.nextInt(2));
    boolean changes = victim.equals(COORDINATOR) ? coordinatorChanges : random.nextBoolean();
    int delayMillis = random.nextInt(LONGEST_DELAY_MILLIS);
    String to = elsewhere(cluster);
    long records = lastRecords(cluster);
    Thread running = Thread.ofVirtual().start(() -> carryOut(cluster, operation, to));
    Thread.sleep(delayMillis);
    if (victim.equals(COORDINATOR)) {
      cluster.coordinator().kill();
    } else {
      cluster.agent(victim).kill();
    }
    assertThat(running.join(LONGEST_OPERATION)).as("%s ends though %s was killed", operation, victim).isTrue();
    restart(cluster, victim, changes);

    Vm.State settled = Recovery.settled(cluster);
    assertThat(lastRecords(cluster)).as("records on the disk").isGreaterThanOrEqualTo(records);
    Recovery.running(cluster, settled, to);
    return verify(cluster, checks, settled == Vm.State.FAILED ? 0 : steps);
  }

  private void restart(TestCluster cluster, String victim, boolean changes) throws Exception {
    Distribution version = versions.get(victim);
    if (changes) {
      version = Distribution.PRESENT.equals(version) ? Distribution.PREVIOUS : Distribution.PRESENT;
    }
    versions.put(victim, version);
    if (victim.equals(COORDINATOR)) {
      cluster.restartCoordinatorAs(version);
    } else {
      cluster.restartAs(victim, version);
    }
  }

  private static void carryOut(TestCluster cluster, Operation operation, String to) {
    try {
      switch (operation) {
        case SAVE_AND_RESTORE -> {
          cluster.save("db");
          cluster.startVm("db", to);
        }
        case QUICK -> cluster.migrateQuickly("db", to);
        case LIVE -> cluster.migrate("db", to);
        case SHARED_NOTHING -> cluster.migrateWithDisks("db", to);
      }
    } catch (StatusRuntimeException e) {
      // A server is killed under it; what became of the VM is looked at afterwards.
    }
  }

  private static String elsewhere(TestCluster cluster) {
    return cluster.vm("db").getHost().equals("host-a") ? "host-b" : "host-a";
  }

  private static long lastRecords(TestCluster cluster) throws IOException {
    return cluster.journals("db").stream().mapToLong(Journal::last).sum();
  }

  private static long verify(TestCluster cluster, StorageChecks checks, long steps) throws IOException {
    long after = checks.stepsBeyond("db", steps);
    assertThat(cluster.verify("db").getIdentical()).as("its twin").isTrue();
    checks.assertJournalHolds("db", after);
    return after;
  }

  /** The operator's command of either version, whatever version the coordinator is of. */
  private static void bothCommandsAreServed(TestCluster cluster) throws Exception {
    Map<Distribution, String> shown = new HashMap<>();
    for (Distribution each : List.of(Distribution.PREVIOUS, Distribution.PRESENT)) {
      for (List<String> command : List.of(List.of("host", "list"), List.of("vm", "show", "db"),
          List.of("migration", "list"))) {
        CommandResult result = cluster.ferryOf(each, command.toArray(String[]::new));
        assertThat(result.exitCode()).as("ferry %s of the %s version: %s", command, each, result.errors()).isZero();
        shown.merge(each, result.output(), String::concat);
      }
    }
    assertThat(shown.get(Distribution.PREVIOUS)).contains("host-a", "host-b", "db");
    assertThat(shown.get(Distribution.PRESENT)).contains("host-a", "host-b", "db");
  }
}
