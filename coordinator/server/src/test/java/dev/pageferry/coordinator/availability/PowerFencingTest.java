package dev.pageferry.coordinator.availability;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.fakes.PlayedFenceAgent;
import dev.pageferry.coordinator.fakes.SiteFixture;
import dev.pageferry.coordinator.fakes.StorageSigns;
import dev.pageferry.coordinator.fencing.FenceAgent.Action;
import dev.pageferry.coordinator.inventory.Registration;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.agent.v1.HostSigns.Verdict;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.FenceAttempt;
import dev.pageferry.proto.cluster.v1.FenceDevice;
import dev.pageferry.proto.cluster.v1.Ha;
import dev.pageferry.proto.cluster.v1.SetVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Hosts that are switched off so that their VMs may run elsewhere, and those that are not. */
class PowerFencingTest extends SiteFixture {
  private static final Duration SOON = Duration.ofSeconds(20);

  private final StorageSigns signs = new StorageSigns();
  private final PlayedFenceAgent agent = new PlayedFenceAgent();
  private Failover failover;

  @BeforeEach
  void createVmsOnAHostThatKeepsItsLock() throws Exception {
    site.heartbeat("a", "b");
    failover = site.failover(signs, agent);
    var _ = site.disks().create(CreateDiskRequest.newBuilder().setName("db-disk").setSizeBytes(FakeSite.MIB)
        .setFormat(Disk.Format.RAW).setHost("a").build());
    Vm _ = site.machines().create(FakeSite.request("db", "a").toBuilder().addDisks("db-disk").build());
    Vm _ = site.createVm("diskless", "a");
    Vm _ = site.machines().set(SetVmRequest.newBuilder().setName("diskless").setHa(Ha.Name.ON).build());
    site.heartbeat("a");
    signs.say(Verdict.LIVES, "its agent keeps its lock");
  }

  private void fencedBy(String... agents) throws Exception {
    var _ = failover.fences().set("a",
        Stream.of(agents).map(each -> FenceDevice.newBuilder().setAgent(each).putOptions("plug", "1").build()).toList(),
        true);
  }

  @Test
  void aDeviceThatSaysThatAHostIsOffWhichIsUpIsNotTaken() {
    FenceDevice wrongPlug = FenceDevice.newBuilder().setAgent("fence_a").putOptions("plug", "9").build();
    assertThatThrownBy(() -> failover.fences().set("a", List.of(wrongPlug), false))
        .hasMessageContaining("says that it is off, but the host is UP; is it the right plug, or address?");
    assertThat(failover.fences().devices(new HostId("a"))).isEmpty();
  }

  private void silence(Duration time) {
    site.ticker().advance(time);
    site.heartbeat("b");
  }

  /** Looks until an attempt has come to its end. */
  private void lookUntil(FenceAttempt.State state) {
    await().atMost(SOON).until(() -> {
      look();
      return failover.fences().last(new HostId("a")).filter(each -> each.getState() == state).isPresent();
    });
    lookOnce();
  }

  private void lookOnce() {
    try {
      look();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private void look() throws Exception {
    failover.look();
    await().atMost(SOON).until(failover::isIdle);
    site.heartbeat("b");
  }

  private String reason(String vm) {
    return failover.waiting().stream().filter(each -> each.vm().equals(vm)).findFirst().map(Failover.Waiting::reason)
        .orElse("");
  }

  private void assertNothingMoved() {
    for (String each : List.of("db", "diskless")) {
      assertThat(site.row(each).getOwnerHost()).isEqualTo("a");
      assertThat(site.row(each).getEpoch()).isEqualTo(1);
    }
    assertThat(site.inventory().find(new HostId("a")).orElseThrow().isConfirmedDead()).isFalse();
  }

  @Test
  void aHostThatKeepsItsLockIsSwitchedOffAndItsVmsRunElsewhereAlsoOneWithoutDisks() throws Exception {
    fencedBy("fence_a", "fence_b");
    silence(Duration.ofSeconds(14));
    look();
    assertThat(reason("db")).contains("keeps its lock", "it is not switched off by fence agents fence_a, fence_b",
        "silent for 14 s of 15 s");
    assertThat(agent.asked()).isEmpty();

    silence(Duration.ofSeconds(1));
    lookUntil(FenceAttempt.State.SWITCHED_OFF);
    await().atMost(SOON).untilAsserted(() -> {
      look();
      for (String each : List.of("db", "diskless")) {
        VmRecord row = site.row(each);
        assertThat(row.getOwnerHost()).isEqualTo("b");
        assertThat(row.getPhase()).isEqualTo(VmRecord.Phase.ACTIVE);
        assertThat(row.getEpoch()).isEqualTo(2);
      }
    });
    assertThat(agent.asked()).containsExactlyInAnyOrder("fence_a off", "fence_a status", "fence_b off",
        "fence_b status");
    assertThat(site.inventory().find(new HostId("a")).orElseThrow().deathEvidence())
        .isEqualTo("fence agents fence_a, fence_b switched host a off and all of them say that it is off");
    assertThat(failover.fences().failing()).isZero();
    assertThat(failover.fences().count(FenceAttempt.State.SWITCHED_OFF)).isEqualTo(1);
  }

  @Test
  void theIncarnationThatWasSwitchedOffIsNotTakenInAgainAndItsSuccessorIs() throws Exception {
    fencedBy("fence_a");
    silence(Duration.ofSeconds(15));
    lookUntil(FenceAttempt.State.SWITCHED_OFF);
    var there = site.inventory().find(new HostId("a")).orElseThrow().record();
    assertThat(site.inventory().register(there.toBuilder().clearConfirmedDead().clearDeadBecause().build(), 1))
        .isInstanceOf(Registration.Superseded.class);
    assertThat(site.inventory().register(there.toBuilder().clearConfirmedDead().clearDeadBecause()
        .setIncarnation("another").build(), 1)).isInstanceOf(Registration.Accepted.class);
    assertThat(site.inventory().find(new HostId("a")).orElseThrow().record().getDeadBecause()).isEmpty();
  }

  @Test
  void oneOfTwoDevicesThatFailsLeavesTheHostUndecided() throws Exception {
    fencedBy("fence_a", "fence_b");
    agent.answer("fence_b", Action.STATUS, 1);
    silence(Duration.ofSeconds(15));
    lookUntil(FenceAttempt.State.FAILED);
    assertNothingMoved();
    assertThat(reason("db")).contains("could not be switched off", "1 of 2 devices failed",
        "fence_b ended with exit code 1",
        "tried again in", "'ferry host confirm-dead a'");
    assertThat(reason("diskless")).contains("1 of 2 devices failed");
    assertThat(failover.fences().failing()).isEqualTo(1);
    site.heartbeat("a");
    assertThat(failover.fences().failing()).isZero();
  }

  @Test
  void anAgentThatSaysThatItSwitchedOffIsNotBelievedWhileItsStatusSaysOn() throws Exception {
    fencedBy("fence_a");
    agent.answer("fence_a", Action.STATUS, 0);
    silence(Duration.ofSeconds(15));
    lookUntil(FenceAttempt.State.FAILED);
    assertNothingMoved();
    assertThat(reason("db")).contains("its status says that it is on");
  }

  @Test
  void anAgentThatFailsIsNotAskedForItsStatusNorAtOnceAgain() throws Exception {
    fencedBy("fence_a");
    agent.answer("fence_a", Action.OFF, -1);
    silence(Duration.ofSeconds(15));
    lookUntil(FenceAttempt.State.FAILED);
    look();
    look();
    assertThat(agent.asked()).containsExactly("fence_a off");
    assertNothingMoved();
  }

  @Test
  void aHostThatIsHeardWhileItIsSwitchedOffIsNotTakenForDead() throws Exception {
    fencedBy("fence_a");
    agent.atOff(() -> site.heartbeat("a"));
    silence(Duration.ofSeconds(15));
    lookUntil(FenceAttempt.State.HEARD_AGAIN);
    assertNothingMoved();
    assertThat(failover.fences().news())
        .anySatisfy(each -> assertThat(each.text()).contains("was heard again meanwhile"));
  }

  @Test
  void nothingIsSwitchedOffWhileRestartsAreDisarmed() throws Exception {
    fencedBy("fence_a");
    failover.settings().arm(false);
    silence(Duration.ofMinutes(1));
    look();
    assertThat(agent.asked()).isEmpty();
    assertThat(reason("db")).contains("it is not switched off by fence agent fence_a: restarts are disarmed");
  }

  @Test
  void aHostThatIsDisarmedMeanwhileIsOffAndItsVmsWait() throws Exception {
    fencedBy("fence_a");
    agent.atOff(() -> failover.settings().arm(false));
    silence(Duration.ofSeconds(15));
    lookUntil(FenceAttempt.State.SWITCHED_OFF);
    assertThat(site.row("db").getOwnerHost()).isEqualTo("a");
    assertThat(reason("db")).contains("disarmed");
  }

  @Test
  void nothingIsSwitchedOffForNothing() throws Exception {
    fencedBy("fence_a");
    // Nobody is heard who could take anything.
    site.ticker().advance(Duration.ofMinutes(1));
    failover.look();
    assertThat(reason("db")).contains("2 hosts fell silent together, and 0 are heard");
    assertThat(agent.asked()).isEmpty();
  }

  @Test
  void aHostThatFellSilentLongAgoDoesNotKeepAnotherFromBeingSwitchedOff() throws Exception {
    fencedBy("fence_a");
    site.register("c");
    site.ticker().advance(Duration.ofMinutes(2));
    site.heartbeat("a", "b");
    silence(Duration.ofSeconds(15));
    lookUntil(FenceAttempt.State.SWITCHED_OFF);
  }

  @Test
  void aHostIsNotSwitchedOffForAVmThatHasNoPlaceElsewhere() throws Exception {
    fencedBy("fence_a");
    for (String each : List.of("db", "diskless")) {
      Vm _ = site.machines().set(SetVmRequest.newBuilder().setName(each).setApartFrom("g").build());
    }
    Vm _ = site.machines().create(FakeSite.request("other", "b").toBuilder().setMemoryBytes(FakeSite.MIB).build());
    Vm _ = site.machines().set(SetVmRequest.newBuilder().setName("other").setApartFrom("g").build());
    silence(Duration.ofMinutes(1));
    look();
    assertThat(agent.asked()).isEmpty();
    assertThat(reason("db")).contains("it is not switched off by fence agent fence_a: no host can take it");
  }

  @Test
  void aHostWithoutVmsThatAreToRunElsewhereIsLeftAlone() throws Exception {
    fencedBy("fence_a");
    for (String each : List.of("db", "diskless")) {
      Vm _ = site.machines().set(SetVmRequest.newBuilder().setName(each).setHa(Ha.Name.OFF).build());
    }
    silence(Duration.ofMinutes(1));
    look();
    assertThat(agent.asked()).isEmpty();
  }

  @Test
  void aHostWhoseStorageShowsThatItIsGoneIsNotSwitchedOff() throws Exception {
    fencedBy("fence_a");
    Vm _ = site.machines().set(SetVmRequest.newBuilder().setName("diskless").setHa(Ha.Name.OFF).build());
    signs.say(Verdict.WAITING, "its lease is waited out: 3 of 11 s");
    silence(Duration.ofMinutes(1));
    look();
    assertThat(agent.asked()).isEmpty();
    signs.say(Verdict.GONE, "its lock is free");
    look();
    assertThat(site.row("db").getOwnerHost()).isEqualTo("b");
    assertThat(agent.asked()).isEmpty();
  }

  @Test
  void theNextProcessOfTheCoordinatorSwitchesItOffOnceMore() throws Exception {
    fencedBy("fence_a");
    agent.answer("fence_a", Action.STATUS, 1);
    silence(Duration.ofSeconds(15));
    lookUntil(FenceAttempt.State.FAILED);
    site = site.afterCoordinatorRestart();
    failover = site.failover(signs, agent);
    site.heartbeat("b");
    agent.answer("fence_a", Action.STATUS, 2);
    look();
    assertThat(agent.asked()).hasSize(2);
    silence(Duration.ofSeconds(15));
    lookUntil(FenceAttempt.State.SWITCHED_OFF);
  }

  @Test
  void whatDoesNotTellItsStatusIsNotTakenUnlessItIsWished() throws Exception {
    agent.answer("fence_a", Action.STATUS, 1);
    FenceDevice device = FenceDevice.newBuilder().setAgent("fence_a").build();
    assertThatThrownBy(() -> failover.fences().set("a", List.of(device), false)).isInstanceOf(RequestException.class)
        .hasMessageContaining("device 1 of host a does not tell its status").hasMessageContaining("--no-check");
    assertThat(failover.fences().devices(new HostId("a"))).isEmpty();
    assertThat(failover.fences().set("a", List.of(device), true)).isEmpty();
    assertThat(failover.fences().devices(new HostId("a"))).containsExactly(device);
    assertThat(failover.fences().set("a", List.of(), false)).isEmpty();
    assertThat(failover.fences().devices(new HostId("a"))).isEmpty();
  }

  @Test
  void aHostThatLeavesTheClusterTakesItsDevicesWithIt() throws Exception {
    fencedBy("fence_a");
    silence(Duration.ofMinutes(1));
    assertThat(site.inventory().forget(new HostId("a"))).isTrue();
    assertThat(failover.fences().devices(new HostId("a"))).isEmpty();
  }
}
