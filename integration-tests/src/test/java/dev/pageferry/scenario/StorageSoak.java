package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.journal.JournalReader.Journal;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.support.StorageChecks;
import dev.pageferry.support.TestCluster;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Kills hosts and the coordinator at random moments of what is done with a VM with a journal, many times over; run
 * by {@code scripts/soak}. The seed decides what is done, who is killed and when; the moments are real time, so that the
 * same seed does not hit the same instruction again, only the same neighbourhood.
 */
class StorageSoak {
  private static final List<String> HOSTS = List.of("host-a", "host-b");
  private static final int LONGEST_DELAY_MILLIS = 900;

  private enum Operation {
    SAVE,
    RESTORE,
    QUICK,
    LIVE,
    SHARED_NOTHING
  }

  private final long seed = Long.getLong("soak.seed", 1);
  private final int kills = Integer.getInteger("soak.kills", 50);
  private final Random random = new Random(seed);

  @Test
  void killsAtRandomMomentsLoseNothing() throws Exception {
    try (TestCluster cluster = TestCluster.start("soak", "1GiB", "host-a", "host-b")) {
      kill(cluster, "storage", List.of(Operation.SAVE, Operation.RESTORE, Operation.QUICK, Operation.LIVE));
    }
  }

  @Test
  void killsAtRandomMomentsOfCopyingDisksLoseNothing() throws Exception {
    try (TestCluster cluster = TestCluster.startWithOwnStorage("soak", "1GiB", "host-a", "host-b")) {
      kill(cluster, "shared-nothing", List.of(Operation.SHARED_NOTHING));
    }
  }

  private void kill(TestCluster cluster, String name, List<Operation> operations) {
    try {
      StorageChecks checks = new StorageChecks(cluster);
      cluster.createWithDisk("db", "host-a", 96, "journal", Map.of("rate", "4MB/s", "fill", "random"), 16);
      long steps = checks.stepsBeyond("db", 0);
      for (int kill = 1; kill <= kills; kill++) {
        steps = killOnce(cluster, checks, kill, operations.get(random.nextInt(operations.size())), steps);
      }
    } catch (AssertionError | Exception e) {
      throw new AssertionError("scripts/soak %s --seed %d --kills %d".formatted(name, seed, kills), e);
    }
  }

  /** @return steps acknowledged in the end */
  private long killOnce(TestCluster cluster, StorageChecks checks, int kill, Operation operation, long steps)
      throws Exception {
    String victim = random.nextInt(5) == 0 ? "coordinator" : HOSTS.get(random.nextInt(2));
    int delayMillis = random.nextInt(LONGEST_DELAY_MILLIS);
    long records = lastRecords(cluster);
    String from = cluster.vm("db").getHost();
    String to = from.equals("host-a") ? "host-b" : "host-a";
    if (operation == Operation.RESTORE) {
      cluster.save("db");
    }
    Thread running = Thread.ofVirtual().start(() -> carryOut(cluster, operation, to));
    Thread.sleep(delayMillis);
    kill(cluster, victim);
    running.join();
    restart(cluster, victim);

    Vm.State settled = Recovery.settled(cluster);
    long recordsNow = checks.wholeJournals("db").stream().mapToLong(Journal::last).sum();
    assertThat(recordsNow).as("records on the disk").isGreaterThanOrEqualTo(records);
    Vm vm = Recovery.running(cluster, settled, to);
    if (settled == Vm.State.SAVED) {
      assertThat(vm.getSteps()).as("steps of the restored VM").isGreaterThanOrEqualTo(steps);
    }
    long after = checks.stepsBeyond("db", settled == Vm.State.FAILED ? 0 : steps);
    assertThat(cluster.verify("db").getIdentical()).as("its twin").isTrue();
    checks.assertJournalHolds("db", after);
    System.out.printf("kill %d of %d: %s to %s, %s killed after %d ms: %s, %d records%n", kill, kills, operation, to,
        victim, delayMillis, settled, recordsNow);
    return after;
  }

  private static long lastRecords(TestCluster cluster) throws IOException {
    return cluster.journals("db").stream().mapToLong(Journal::last).sum();
  }

  private static void carryOut(TestCluster cluster, Operation operation, String to) {
    try {
      switch (operation) {
        case SAVE -> cluster.save("db");
        case RESTORE -> cluster.startVm("db", to);
        case QUICK -> cluster.migrateQuickly("db", to);
        case LIVE -> cluster.migrate("db", to);
        case SHARED_NOTHING -> cluster.migrateWithDisks("db", to);
      }
    } catch (StatusRuntimeException e) {
      // Somebody is killed under it; what became of the VM is looked at afterwards.
    }
  }

  private static void kill(TestCluster cluster, String victim) throws InterruptedException {
    if (victim.equals("coordinator")) {
      cluster.coordinator().kill();
    } else {
      cluster.agent(victim).kill();
    }
  }

  private static void restart(TestCluster cluster, String victim) throws IOException, InterruptedException {
    if (victim.equals("coordinator")) {
      cluster.restartCoordinator();
    } else {
      cluster.restart(victim);
    }
  }
}
