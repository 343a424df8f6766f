package dev.pageferry.coordinator.inventory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.fakes.InterposedStore;
import dev.pageferry.coordinator.fakes.ManualTicker;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.inventory.HostInventory.Registration;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.records.v1.HostRecord;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostInventoryTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(5);
  private static final String HERE = "127.0.0.1:1";
  private static final String ELSEWHERE = "127.0.0.1:99";
  private static final Duration RESTART = Duration.ofSeconds(2);
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
    inventory = new HostInventory(store, TIMEOUT, RESTART, ticker);
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
    ticker.advance(RESTART.minusNanos(1));
    inventory.heartbeat(A, FIRST, 1, ONE_VM);
    ticker.advance(RESTART.minusNanos(1));

    assertThat(register(SECOND, HERE)).as("a copied command line").isEqualTo(Registration.TAKEN);
    assertThat(register(SECOND, ELSEWHERE)).isEqualTo(Registration.TAKEN);
    assertThat(a().incarnation()).isEqualTo(FIRST);
    assertThat(a().vms()).containsOnlyKeys(new VmId("v"));

    ticker.advance(Duration.ofNanos(1));
    assertThat(register(SECOND, HERE)).isEqualTo(Registration.ACCEPTED);
  }

  @Test
  void anAgentAtAnotherAddressWaitsForLongerThanTheOneBeforeMayBeCutOff() {
    register(FIRST);
    ticker.advance(TIMEOUT.multipliedBy(2).minusNanos(1));
    assertThat(register(SECOND, ELSEWHERE)).isEqualTo(Registration.TAKEN);
    ticker.advance(Duration.ofNanos(1));
    assertThat(register(SECOND, ELSEWHERE)).isEqualTo(Registration.ACCEPTED);
    assertThat(a().record().getAddress()).isEqualTo(ELSEWHERE);
  }

  @Test
  void aCoordinatorThatHasJustStartedGivesTheHostItKnowsTimeToBeHeard() {
    register(FIRST);
    inventory = new HostInventory(store, TIMEOUT, RESTART, ticker);

    assertThat(register(SECOND, HERE)).isEqualTo(Registration.TAKEN);
    ticker.advance(RESTART);
    assertThat(register(SECOND, HERE)).isEqualTo(Registration.ACCEPTED);
  }

  @Test
  void anIncarnationThatWasReplacedNeverComesBackNotEvenAfterARestartOfTheCoordinator() {
    register(FIRST);
    replace(SECOND);
    ticker.advance(TIMEOUT);
    assertThat(register(FIRST, HERE)).isEqualTo(Registration.SUPERSEDED);
    register(SECOND);
    inventory = new HostInventory(store, TIMEOUT, RESTART, ticker);

    assertThat(register(FIRST, HERE)).isEqualTo(Registration.SUPERSEDED);
    assertThat(a().incarnation()).isEqualTo(SECOND);
  }

  @Test
  void aHostIsKnownAfterARestartOfTheCoordinatorButDownUntilItIsHeardOf() {
    register(FIRST);
    HostInventory next = new HostInventory(store, TIMEOUT, RESTART, ticker);

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
    ticker.advance(RESTART);
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

  private void register(Incarnation incarnation) {
    assertThat(register(incarnation, HERE)).isEqualTo(Registration.ACCEPTED);
  }

  private void replace(Incarnation incarnation) {
    ticker.advance(RESTART);
    register(incarnation);
  }

  private Registration register(Incarnation incarnation, String address) {
    return inventory.register(HostRecord.newBuilder().setId(A.value()).setIncarnation(incarnation.value())
        .setAddress(address).setMigrationAddress("127.0.0.1:2").setMemoryBytes(1000).build(), 100);
  }

  private Host a() {
    return inventory.find(A).orElseThrow();
  }
}
