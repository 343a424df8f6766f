package dev.pageferry.coordinator.inventory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.fakes.InterposedStore;
import dev.pageferry.coordinator.fakes.ManualTicker;
import dev.pageferry.coordinator.inventory.Confirmation;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.records.v1.HostRecord;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostInventoryTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(5);
  private static final String HERE = "127.0.0.1:1";
  private static final String ELSEWHERE = "127.0.0.1:99";
  private static final Duration LEASE = Duration.ofSeconds(10);
  private static final Registration ACCEPTED = new Registration.Accepted();
  private static final Registration TAKEN = new Registration.Taken();
  private static final Registration SUPERSEDED = new Registration.Superseded();
  private static final HostId A = new HostId("host-a");
  private static final Incarnation FIRST = new Incarnation("first");
  private static final Incarnation SECOND = new Incarnation("second");
  private static final List<VmStatus> ONE_VM = List.of(VmStatus.newBuilder().setId("v").setEpoch(3).build());

  @TempDir
  Path directory;
  private final ManualTicker ticker = new ManualTicker();
  private InterposedStore store;
  private HostInventory inventory;

  @BeforeEach
  void open() throws IOException {
    store = new InterposedStore(SqliteRecordStore.open(directory));
    inventory = new HostInventory(store, TIMEOUT, LEASE, ticker);
  }

  @AfterEach
  void close() {
    store.close();
  }

  @Test
  void aHostThatNeverRegisteredIsNotKnown() {
    assertThat(inventory.find(A)).isEmpty();
    assertThat(inventory.list()).isEmpty();
    assertThat(inventory.isCurrent(A, FIRST)).isFalse();
    assertThat(inventory.heartbeat(A, FIRST, 1, ONE_VM)).isFalse();
    assertThat(inventory.find(A)).isEmpty();
  }

  @Test
  void aHostIsUpFromItsRegistrationUntilTheTimeOut() {
    register(FIRST);
    assertThat(a().isUp()).isTrue();
    assertThat(a().memoryFreeBytes()).isEqualTo(100);

    ticker.advance(TIMEOUT.minusNanos(1));
    assertThat(a().isUp()).isTrue();
    ticker.advance(Duration.ofNanos(1));
    assertThat(a().isUp()).isFalse();
  }

  @Test
  void everyHeartbeatStartsTheTimeAnew() {
    register(FIRST);
    for (int i = 0; i < 4; i++) {
      ticker.advance(TIMEOUT.minusMillis(1));
      assertThat(inventory.heartbeat(A, FIRST, 200 + i, ONE_VM)).isTrue();
    }
    assertThat(a().isUp()).isTrue();
    assertThat(a().memoryFreeBytes()).isEqualTo(203);
    assertThat(a().vms()).containsOnlyKeys(new VmId("v"));
  }

  @Test
  void aHostThatWasDownIsUpAgainWithItsNextHeartbeat() {
    register(FIRST);
    ticker.advance(Duration.ofDays(40_000));
    assertThat(a().isUp()).isFalse();
    inventory.heartbeat(A, FIRST, 1, List.of());
    assertThat(a().isUp()).isTrue();
  }

  @Test
  void anAnswerShowsAtOnceAndUntilAHeartbeatThatWasMadeAfterIt() {
    register(FIRST);
    inventory.heartbeat(A, FIRST, 1, ONE_VM);
    VmStatus paused = ONE_VM.getFirst().toBuilder().setState(VmStatus.State.PAUSED).build();
    VmId vm = new VmId("v");
    inventory.noteAnswer(HERE, paused);
    assertThat(inventory.lastTold(A, vm)).contains(paused);
    inventory.heartbeat(A, FIRST, 1, ONE_VM);
    assertThat(inventory.lastTold(A, vm)).as("that heartbeat may be older than the answer").contains(paused);
    inventory.heartbeat(A, FIRST, 1, ONE_VM);
    assertThat(inventory.lastTold(A, vm)).isEqualTo(Optional.of(ONE_VM.getFirst()));
    assertThat(a().vms()).as("decisions go by heartbeats").containsEntry(vm, ONE_VM.getFirst());
  }

  @Test
  void anAnswerOfAnAddressThatNoHostHasIsIgnored() {
    register(FIRST);
    inventory.noteAnswer(ELSEWHERE, ONE_VM.getFirst());
    assertThat(inventory.lastTold(A, new VmId("v"))).isEmpty();
  }

  @Test
  void aHeartbeatReplacesWhatTheOneBeforeSaid() {
    register(FIRST);
    inventory.heartbeat(A, FIRST, 1, ONE_VM);
    inventory.heartbeat(A, FIRST, 1, List.of(VmStatus.newBuilder().setId("w").build()));
    assertThat(a().vms()).containsOnlyKeys(new VmId("w"));
  }

  @Test
  void aNewIncarnationHasNoVmsAndTheOldOneIsRefused() {
    register(FIRST);
    inventory.heartbeat(A, FIRST, 1, ONE_VM);
    replace(SECOND);

    assertThat(a().incarnation()).isEqualTo(SECOND);
    assertThat(a().vms()).isEmpty();
    assertThat(inventory.isCurrent(A, FIRST)).isFalse();
    assertThat(inventory.isCurrent(A, SECOND)).isTrue();
    ticker.advance(TIMEOUT);
    assertThat(inventory.heartbeat(A, FIRST, 1, ONE_VM)).isFalse();
    assertThat(a().isUp()).as("a heartbeat of the old incarnation counts for nothing").isFalse();
    assertThat(a().vms()).isEmpty();
  }

  @Test
  void registeringAgainUnderTheSameIncarnationKeepsWhatRuns() {
    register(FIRST);
    inventory.heartbeat(A, FIRST, 1, ONE_VM);
    register(FIRST);
    assertThat(a().vms()).containsOnlyKeys(new VmId("v"));
  }

  @Test
  void aSecondAgentDoesNotTakeTheNameOfOneThatWasJustHeard() {
    register(FIRST);
    ticker.advance(Duration.ofSeconds(2));
    inventory.heartbeat(A, FIRST, 1, ONE_VM);
    ticker.advance(Duration.ofSeconds(2));

    assertThat(register(SECOND, HERE)).as("a copied command line").isEqualTo(TAKEN);
    assertThat(register(SECOND, ELSEWHERE)).isEqualTo(TAKEN);
    assertThat(a().incarnation()).isEqualTo(FIRST);
    assertThat(a().vms()).containsOnlyKeys(new VmId("v"));
  }

  @Test
  void aNewIncarnationThatProvesNothingWaitsUntilAllThatTheOldOneWasPermittedIsOver() {
    register(FIRST);
    for (String address : List.of(HERE, ELSEWHERE)) {
      inventory.heartbeat(A, FIRST, 1, ONE_VM);
      ticker.advance(LEASE.minusMillis(1));
      assertThat(register(SECOND, address)).isEqualTo(new Registration.Wait(Duration.ofMillis(1)));
    }
    assertThat(a().incarnation()).isEqualTo(FIRST);
    ticker.advance(Duration.ofMillis(1));
    assertThat(register(SECOND, HERE)).isEqualTo(ACCEPTED);
  }

  @Test
  void aNewIncarnationThatProvesThatTheOldOneEndedIsTakenInAtOnce() {
    register(record(FIRST, HERE).setBootId("boot-1"), Set.of());
    assertThat(register(record(SECOND, ELSEWHERE).setBootId("boot-1"), Set.of(FIRST))).isEqualTo(ACCEPTED);
    assertThat(a().incarnation()).isEqualTo(SECOND);
    assertThat(register(FIRST, HERE)).isEqualTo(SUPERSEDED);
  }

  @Test
  void whatIsSaidOfAnotherIncarnationOrOnAnotherBootProvesNothing() {
    register(record(FIRST, HERE).setBootId("boot-1"), Set.of());
    assertThat(register(record(SECOND, HERE).setBootId("boot-1"), Set.of(new Incarnation("zeroth")))).isEqualTo(TAKEN);
    assertThat(register(record(SECOND, HERE).setBootId("boot-2"), Set.of(FIRST))).isEqualTo(TAKEN);
    assertThat(register(record(SECOND, HERE), Set.of(FIRST))).isEqualTo(TAKEN);
    assertThat(a().incarnation()).isEqualTo(FIRST);
  }

  @Test
  void aHostThatHadNoKnownBootIsNotProvenDeadByAnAgentThatHasNone() {
    register(FIRST);
    assertThat(register(record(SECOND, HERE), Set.of(FIRST))).isEqualTo(TAKEN);
  }

  @Test
  void atAnotherAddressOnlyAnOperatorKnowsWhetherGuestsWithoutLeasesStillRun() {
    register(FIRST);
    ticker.advance(Duration.ofDays(1));
    List<Registration> atBothTimes = List.of(register(record(SECOND, ELSEWHERE), Set.of(), "web"),
        register(record(SECOND, ELSEWHERE), Set.of(), "web"));
    assertThat(atBothTimes).containsOnly(new Registration.Unconfirmed(List.of("web")));
    assertThat(a().incarnation()).isEqualTo(FIRST);

    assertThat(inventory.confirmDead(A, FIRST, "")).isEqualTo(Confirmation.CONFIRMED);
    assertThat(register(record(SECOND, ELSEWHERE), Set.of(), "web")).isEqualTo(ACCEPTED);
    assertThat(a().isConfirmedDead()).isFalse();
  }

  @Test
  void aHostThatCameBackWhileItsGuestsWereAskedForIsNotReplaced() {
    register(FIRST);
    ticker.advance(Duration.ofDays(1));
    assertThat(inventory.register(record(SECOND, ELSEWHERE).build(), 100, Set.of(), (host, incarnation) -> {
      inventory.heartbeat(A, FIRST, 1, ONE_VM);
      return List.of();
    })).isEqualTo(TAKEN);
    assertThat(a().incarnation()).isEqualTo(FIRST);
  }

  @Test
  void aHostThatWasConfirmedDeadIsNotHeardAgainNotEvenAfterARestartOfTheCoordinator() {
    register(FIRST);
    inventory.heartbeat(A, FIRST, 1, ONE_VM);
    ticker.advance(TIMEOUT);
    assertThat(inventory.confirmDead(A, FIRST, "")).isEqualTo(Confirmation.CONFIRMED);
    for (int i = 0; i < 2; i++) {
      assertThat(inventory.isLost(A, FIRST)).isTrue();
      assertThat(inventory.isCurrent(A, FIRST)).isFalse();
      assertThat(inventory.heartbeat(A, FIRST, 1, ONE_VM)).isFalse();
      assertThat(register(FIRST, HERE)).isEqualTo(SUPERSEDED);
      assertThat(a().isUp()).isFalse();
      inventory = new HostInventory(store, TIMEOUT, LEASE, ticker);
    }
  }

  @Test
  void aHostThatIsHeardOrMayBeInAMomentIsNotConfirmedDead() {
    register(FIRST);
    ticker.advance(TIMEOUT.minusNanos(1));
    assertThat(inventory.confirmDead(A, FIRST, "")).isEqualTo(Confirmation.STILL_HEARD);
    inventory = new HostInventory(store, TIMEOUT, LEASE, ticker);
    assertThat(inventory.confirmDead(A, FIRST, "")).isEqualTo(Confirmation.STILL_HEARD);
    assertThat(inventory.confirmDead(A, SECOND, "")).isEqualTo(Confirmation.CHANGED);
    assertThat(inventory.heartbeat(A, FIRST, 1, ONE_VM)).isTrue();
  }

  @Test
  void aConfirmationThatCouldNotBeWrittenDownDidNotHappen() {
    register(FIRST);
    ticker.advance(TIMEOUT);
    store.failWrites(1);
    assertThatThrownBy(() -> inventory.confirmDead(A, FIRST, "")).isInstanceOf(IllegalStateException.class);
    assertThat(inventory.heartbeat(A, FIRST, 1, ONE_VM)).isTrue();
    assertThat(a().isUp()).isTrue();
  }

  @Test
  void aCoordinatorThatHasJustStartedGivesTheHostItKnowsTimeToBeHeard() {
    register(FIRST);
    ticker.advance(Duration.ofDays(1));
    inventory = new HostInventory(store, TIMEOUT, LEASE, ticker);

    assertThat(register(SECOND, HERE)).isEqualTo(TAKEN);
    ticker.advance(LEASE);
    assertThat(register(SECOND, HERE)).isEqualTo(ACCEPTED);
  }

  @Test
  void theCoordinatorsOwnStallIsNotTheSilenceOfHosts() {
    register(FIRST);
    inventory.tick();
    ticker.advance(Duration.ofMinutes(1));

    // Whoever judges may come before the ticking task, and before the heartbeats that wait in the socket.
    assertThat(inventory.isLost(A, FIRST)).isFalse();
    assertThat(a().isUp()).isTrue();
    assertThat(register(SECOND, HERE)).isEqualTo(TAKEN);
    assertThat(inventory.confirmDead(A, FIRST, "")).isEqualTo(Confirmation.STILL_HEARD);
    assertThat(inventory.silenceSince(ticker.nanos() - Duration.ofMinutes(2).toNanos())).isZero();
  }

  @Test
  void whoIsStillSilentAfterTheCoordinatorsStallIsLost() {
    register(FIRST);
    inventory.tick();
    ticker.advance(Duration.ofMinutes(1));
    awake(TIMEOUT.minusMillis(100));
    assertThat(inventory.isLost(A, FIRST)).isFalse();
    awake(Duration.ofMillis(100));
    assertThat(inventory.isLost(A, FIRST)).isTrue();
    assertThat(a().isUp()).isFalse();
  }

  @Test
  void aHostThatWasDownBeforeTheCoordinatorsStallIsNotUpAfterIt() {
    register(FIRST);
    awake(TIMEOUT);
    ticker.advance(Duration.ofMinutes(1));
    assertThat(inventory.isLost(A, FIRST)).isTrue();
    assertThat(a().isUp()).isFalse();
    assertThat(register(SECOND, HERE)).as("it may have come back meanwhile").isEqualTo(TAKEN);
    inventory.heartbeat(A, FIRST, 1, ONE_VM);
    assertThat(a().isUp()).isTrue();
  }

  @Test
  void heartbeatsDoNotWaitForTheDiskWriteOfAnothersRegistration() throws InterruptedException {
    HostId b = new HostId("host-b");
    inventory.register(record(FIRST, HERE).setId(b.value()).build(), 1);
    CountDownLatch heard = new CountDownLatch(1);
    AtomicBoolean wasHeard = new AtomicBoolean();
    store.duringWrite(() -> {
      Thread unused = Thread.ofVirtual().start(() -> {
        inventory.heartbeat(b, FIRST, 1, ONE_VM);
        heard.countDown();
      });
      try {
        wasHeard.set(heard.await(5, TimeUnit.SECONDS));
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    });
    register(FIRST);
    assertThat(wasHeard).isTrue();
  }

  @Test
  void anAgentIsNotHeardWhileItsEndIsBeingWrittenDown() {
    register(FIRST);
    ticker.advance(LEASE);
    AtomicReference<List<Object>> meanwhile = new AtomicReference<>(List.of());
    store.duringWrite(() -> meanwhile
        .set(List.of(inventory.heartbeat(A, FIRST, 1, ONE_VM), register(FIRST, HERE), register(SECOND, HERE))));
    register(SECOND);
    assertThat(meanwhile.get()).containsExactly(false, new Registration.Busy(), new Registration.Busy());
    assertThat(inventory.heartbeat(A, FIRST, 1, ONE_VM)).isFalse();
    assertThat(inventory.heartbeat(A, SECOND, 1, ONE_VM)).isTrue();
  }

  @Test
  void anAgentThatRegistersAgainIsHeardWhileThatIsBeingWrittenDown() {
    register(FIRST);
    AtomicBoolean wasHeard = new AtomicBoolean();
    store.duringWrite(() -> wasHeard.set(inventory.heartbeat(A, FIRST, 1, ONE_VM)));
    register(record(FIRST, ELSEWHERE), Set.of());
    assertThat(wasHeard).isTrue();
    assertThat(a().record().getAddress()).isEqualTo(ELSEWHERE);
    assertThat(a().vms()).containsOnlyKeys(new VmId("v"));
  }

  @Test
  void anIncarnationThatWasReplacedNeverComesBackNotEvenAfterARestartOfTheCoordinator() {
    register(FIRST);
    replace(SECOND);
    ticker.advance(TIMEOUT);
    assertThat(register(FIRST, HERE)).isEqualTo(SUPERSEDED);
    register(SECOND);
    inventory = new HostInventory(store, TIMEOUT, LEASE, ticker);

    assertThat(register(FIRST, HERE)).isEqualTo(SUPERSEDED);
    assertThat(a().incarnation()).isEqualTo(SECOND);
  }

  @Test
  void aHostIsKnownAfterARestartOfTheCoordinatorButDownUntilItIsHeardOf() {
    register(FIRST);
    HostInventory next = new HostInventory(store, TIMEOUT, LEASE, ticker);

    Host known = next.find(A).orElseThrow();
    assertThat(known.isUp()).isFalse();
    assertThat(known.record()).isEqualTo(a().record());
    assertThat(next.isCurrent(A, FIRST)).isTrue();
    assertThat(next.heartbeat(A, SECOND, 1, List.of())).isFalse();
    assertThat(next.heartbeat(A, FIRST, 7, ONE_VM)).isTrue();
    assertThat(next.find(A).orElseThrow().isUp()).isTrue();
  }

  @Test
  void aRegistrationThatCouldNotBeWrittenDownDidNotHappen() {
    register(FIRST);
    ticker.advance(LEASE);
    store.failWrites(1);
    assertThatThrownBy(() -> register(SECOND)).isInstanceOf(IllegalStateException.class);
    assertThat(inventory.isCurrent(A, FIRST)).isTrue();
  }

  @Test
  void hostsAreListedInOrderOfTheirNames() {
    for (String name : List.of("host-c", "host-a", "host-b")) {
      inventory.register(HostRecord.newBuilder().setId(name).setIncarnation("x").build(), 1);
    }
    assertThat(inventory.list()).extracting(host -> host.id().value()).containsExactly("host-a", "host-b", "host-c");
  }

  /** Time passes while the coordinator runs. */
  private void awake(Duration time) {
    for (long left = time.toMillis(); left > 0; left -= 100) {
      inventory.tick();
      ticker.advance(Duration.ofMillis(Math.min(100, left)));
    }
    inventory.tick();
  }

  private void register(Incarnation incarnation) {
    assertThat(register(incarnation, HERE)).isEqualTo(ACCEPTED);
  }

  private void replace(Incarnation incarnation) {
    ticker.advance(LEASE);
    register(incarnation);
  }

  private Registration register(Incarnation incarnation, String address) {
    return register(record(incarnation, address), Set.of());
  }

  private Registration register(HostRecord.Builder record, Set<Incarnation> ended, String... unfenced) {
    return inventory.register(record.build(), 100, ended, (host, incarnation) -> List.of(unfenced));
  }

  private static HostRecord.Builder record(Incarnation incarnation, String address) {
    return HostRecord.newBuilder().setId(A.value()).setIncarnation(incarnation.value()).setAddress(address)
        .setMigrationAddress("127.0.0.1:2").setMemoryBytes(1000);
  }

  private Host a() {
    return inventory.find(A).orElseThrow();
  }
}
