package dev.pageferry.coordinator.ownership;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.fakes.InterposedStore;
import dev.pageferry.coordinator.ownership.OwnershipLedger.ConflictException;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Decision;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Outcome;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.VmRecord;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class OwnershipRaceTest {
  private static final VmId VM = new VmId("v");
  private static final MigrationId M = new MigrationId("M");
  private static final List<String> HOSTS = List.of("a", "b", "c");

  @TempDir
  Path directory;
  private SqliteRecordStore store;
  private OwnershipLedger ledger;

  @BeforeEach
  void open() throws IOException {
    store = SqliteRecordStore.open(directory);
    ledger = new OwnershipLedger(store, ChangeGate.OPEN);
  }

  @AfterEach
  void close() {
    store.close();
  }

  /** A destination that is told COMMITTED under the old epoch takes its copy for a stale one and destroys it. */
  @Test
  void aCommitBetweenTheTwoReadsOfAQuestionIsAnsweredWithItsOwnEpoch() throws ConflictException {
    for (String key : List.of("vms/", "migrations/")) {
      VmId vm = new VmId("vm-" + key.charAt(0));
      MigrationId migration = new MigrationId("M-" + key.charAt(0));
      ledger.add(Rows.vm(vm.value(), "a"));
      Rows.begin(ledger, vm, migration, "b");
      InterposedStore interposed = new InterposedStore(store);
      interposed.afterGet(key, () -> ledger.commit(vm, migration, Rows.ALL_LIVE));

      Decision decision = new OwnershipLedger(interposed, ChangeGate.OPEN).resolve(vm, migration);

      assertThat(decision).as("committed just after the read of %s", key)
          .isEqualTo(new Decision(Outcome.COMMITTED, "b", 2));
    }
  }

  @Test
  void anAbortBetweenTheTwoReadsOfACommitWins() throws ConflictException {
    for (String key : List.of("vms/", "migrations/")) {
      VmId vm = new VmId("vm-" + key.charAt(0));
      MigrationId migration = new MigrationId("M-" + key.charAt(0));
      ledger.add(Rows.vm(vm.value(), "a"));
      Rows.begin(ledger, vm, migration, "b");
      InterposedStore interposed = new InterposedStore(store);
      interposed.afterGet(key, () -> ledger.resolve(vm, migration));

      assertThat(new OwnershipLedger(interposed, ChangeGate.OPEN).commit(vm, migration, Rows.ALL_LIVE))
          .isEqualTo(new Decision(Outcome.ABORTED, "a", 1));
      assertThat(Rows.brief(ledger, vm)).isEqualTo("a 1 -");
    }
  }

  /** Whose next look at the row comes just before it is booted on host b, under epoch 2. */
  private OwnershipLedger overtakenByABoot() throws ConflictException {
    ledger.add(Rows.vm("v", "a"));
    InterposedStore interposed = new InterposedStore(store);
    interposed.afterGet("vms/", () -> {
      try {
        ledger.change(VM, Rows.boot("b", "", 1));
      } catch (ConflictException e) {
        throw new AssertionError(e);
      }
    });
    return new OwnershipLedger(interposed, ChangeGate.OPEN);
  }

  @Test
  void anUpdateThatLosesARaceIsMadeAgainOnTheNewRow() throws ConflictException {
    VmRecord stopped = overtakenByABoot().change(VM, new OwnershipEvent.PowerOff()).record();
    assertThat(stopped.getPhase()).isEqualTo(VmRecord.Phase.STOPPED);
    assertThat(Rows.brief(ledger, VM)).isEqualTo("b 2 -");
  }

  @Test
  void aBootIsOfTheRowThatWasLookedAt() throws ConflictException {
    OwnershipLedger overtaken = overtakenByABoot();
    assertThatThrownBy(() -> overtaken.change(VM, Rows.boot("c", "", 1))).isInstanceOf(ConflictException.class)
        .hasMessageContaining("has changed meanwhile");
    assertThat(Rows.brief(ledger, VM)).isEqualTo("b 2 -");
  }

  @Test
  void manyThreadsThatCommitAndResolveTheSameMigrationAgree() throws Exception {
    int repetitions = 60;
    int[] wins = new int[2];
    for (int i = 0; i < repetitions; i++) {
      VmId vm = new VmId("v" + i);
      MigrationId migration = new MigrationId("M" + i);
      ledger.add(Rows.vm(vm.value(), "a"));
      Rows.begin(ledger, vm, migration, "b");

      List<Decision> answers = race(vm, migration);

      boolean committed = ledger.find(vm).orElseThrow().record().getEpoch() == 2;
      wins[committed ? 1 : 0]++;
      assertThat(answers).as("repetition %d", i).hasSize(8).containsOnly(
          committed ? new Decision(Outcome.COMMITTED, "b", 2) : new Decision(Outcome.ABORTED, "a", 1));
      assertThat(Rows.brief(ledger, vm)).isEqualTo(committed ? "b 2 -" : "a 1 -");
    }
    assertThat(wins[0] + wins[1]).isEqualTo(repetitions);
  }

  private List<Decision> race(VmId vm, MigrationId migration) throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    try (ExecutorService executor = Executors.newFixedThreadPool(8)) {
      List<Future<Decision>> all = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        boolean commits = i % 2 == 0;
        all.add(executor.submit(() -> {
          go.await();
          return commits ? ledger.commit(vm, migration, Rows.ALL_LIVE) : ledger.resolve(vm, migration);
        }));
      }
      go.countDown();
      List<Decision> answers = new ArrayList<>();
      for (Future<Decision> each : all) {
        answers.add(each.get());
      }
      return answers;
    }
  }

  /** What all threads of a walk have done and were told. */
  private static final class Walk {
    final Map<VmId, AtomicInteger> starts = new ConcurrentHashMap<>();
    final Map<MigrationId, VmId> begun = new ConcurrentHashMap<>();
    final Map<MigrationId, Outcome> answers = new ConcurrentHashMap<>();

    AtomicInteger starts(VmId vm) {
      return Objects.requireNonNull(starts.get(vm));
    }

    VmId vmOf(MigrationId migration) {
      return Objects.requireNonNull(begun.get(migration));
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 42, 4711})
  void aRandomWalkOfSeveralThreadsKeepsTheInvariants(long seed) throws Exception {
    int vms = 3;
    Walk walk = new Walk();
    for (int i = 0; i < vms; i++) {
      ledger.add(Rows.vm("v" + i, HOSTS.get(i)));
      walk.starts.put(new VmId("v" + i), new AtomicInteger());
    }
    try (ExecutorService executor = Executors.newFixedThreadPool(4)) {
      List<Future<?>> all = new ArrayList<>();
      for (int thread = 0; thread < 4; thread++) {
        Random random = new Random(seed * 31 + thread);
        String name = "t" + thread;
        all.add(executor.submit(() -> {
          walk(walk, random, name);
          return null;
        }));
      }
      for (Future<?> each : all) {
        each.get();
      }
    }
    for (VmId vm : walk.starts.keySet()) {
      check(walk, vm);
    }
  }

  private void walk(Walk walk, Random random, String thread) {
    Map<VmId, Long> lastEpochs = new ConcurrentHashMap<>();
    for (int step = 0; step < 120; step++) {
      VmId vm = new VmId("v" + random.nextInt(walk.starts.size()));
      act(walk, random, vm, new MigrationId("%s-%d".formatted(thread, step)));
      VmRecord row = ledger.find(vm).orElseThrow().record();
      assertThat(HOSTS).contains(row.getOwnerHost());
      assertThat(row.getOwnerIncarnation()).startsWith(row.getOwnerHost() + "-");
      assertThat(row.getEpoch()).as("epochs of %s only grow", vm)
          .isGreaterThanOrEqualTo(lastEpochs.getOrDefault(vm, 1L));
      lastEpochs.put(vm, row.getEpoch());
    }
  }

  private void act(Walk walk, Random random, VmId vm, MigrationId fresh) {
    try {
      switch (random.nextInt(5)) {
        case 0, 1 -> {
          Rows.begin(ledger, vm, fresh, HOSTS.get(random.nextInt(HOSTS.size())));
          walk.begun.put(fresh, vm);
        }
        case 2 -> pick(walk, random).ifPresent(each -> answered(walk, each,
            ledger.commit(walk.vmOf(each), each, random.nextInt(4) == 0 ? Rows.ALL_RESTARTED : Rows.ALL_LIVE)));
        case 3 -> pick(walk, random).ifPresent(each -> answered(walk, each, ledger.resolve(walk.vmOf(each), each)));
        default -> {
          Rows.bootAnew(ledger, vm, "");
          walk.starts(vm).incrementAndGet();
        }
      }
    } catch (ConflictException expected) {
      assertThat(expected).hasMessageContaining("VM");
    }
  }

  private static Optional<MigrationId> pick(Walk walk, Random random) {
    List<MigrationId> all = List.copyOf(walk.begun.keySet());
    return all.isEmpty() ? Optional.empty() : Optional.of(all.get(random.nextInt(all.size())));
  }

  private static void answered(Walk walk, MigrationId migration, Decision decision) {
    assertThat(decision.outcome()).isNotEqualTo(Outcome.UNKNOWN);
    Outcome before = walk.answers.putIfAbsent(migration, decision.outcome());
    if (before != null) {
      assertThat(decision.outcome()).as("answers of %s are final", migration).isEqualTo(before);
    }
  }

  private void check(Walk walk, VmId vm) {
    VmRecord row = ledger.find(vm).orElseThrow().record();
    List<MigrationRecord> mine = ledger.migrations().stream().filter(each -> each.getVmId().equals(vm.value()))
        .toList();
    long commits = mine.stream().filter(each -> each.getDecision() == MigrationRecord.Decision.COMMITTED).count();
    long pending = mine.stream().filter(each -> each.getDecision() == MigrationRecord.Decision.PENDING).count();
    assertThat(row.getEpoch()).as("epoch of %s", vm).isEqualTo(1 + commits + walk.starts(vm).get());
    assertThat(pending).as("migrations of %s that are pending", vm).isEqualTo(row.hasPending() ? 1 : 0);
    if (row.hasPending()) {
      MigrationId migration = new MigrationId(row.getPending().getMigrationId());
      assertThat(ledger.migration(migration).orElseThrow().getDecision()).isEqualTo(MigrationRecord.Decision.PENDING);
      assertThat(walk.answers).doesNotContainKey(migration);
    }
    walk.begun.forEach((migration, owner) -> {
      Outcome answer = walk.answers.get(migration);
      if (owner.equals(vm) && answer != null) {
        assertThat(ledger.migration(migration).orElseThrow().getDecision().name()).isEqualTo(answer.name());
      }
    });
  }
}
