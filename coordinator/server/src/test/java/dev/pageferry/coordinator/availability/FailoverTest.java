package dev.pageferry.coordinator.availability;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.fakes.SiteFixture;
import dev.pageferry.coordinator.fakes.StorageSigns;
import dev.pageferry.coordinator.ownership.OwnershipEvent;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.proto.agent.v1.HostSigns.Verdict;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.Ha;
import dev.pageferry.proto.cluster.v1.QemuMachine;
import dev.pageferry.proto.cluster.v1.SetVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.Restart;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** VMs of a host that stopped, on records and hosts that are played: what starts them elsewhere, and what does not. */
class FailoverTest extends SiteFixture {
  private static final Duration SOON = Duration.ofSeconds(20);

  private final StorageSigns signs = new StorageSigns();
  private Failover failover;

  @BeforeEach
  void hearHosts() {
    site.heartbeat("a", "b");
    failover = site.failover(signs);
  }

  private void createWithDisk(String name) throws Exception {
    var _ = site.disks().create(CreateDiskRequest.newBuilder().setName(name + "-disk").setSizeBytes(FakeSite.MIB)
        .setFormat(Disk.Format.RAW).setHost("a").build());
    Vm _ = site.machines().create(FakeSite.request(name, "a").toBuilder().addDisks(name + "-disk").build());
    site.heartbeat("a");
  }

  /** Host a is not heard for a while in which b is. */
  private void silence(Duration time) {
    site.ticker().advance(time);
    site.heartbeat("b");
  }

  /** Looks until nothing is under way. */
  private void look() throws Exception {
    failover.look();
    await().atMost(SOON).until(failover::isIdle);
    site.heartbeat("b");
  }

  private String reason(String vm) {
    return failover.waiting().stream().filter(each -> each.vm().equals(vm)).findFirst().map(Failover.Waiting::reason)
        .orElse("");
  }

  private void assertRunsOn(String vm, String host) {
    VmRecord row = site.row(vm);
    assertThat(row.getOwnerHost()).isEqualTo(host);
    assertThat(row.getPhase()).isEqualTo(VmRecord.Phase.ACTIVE);
    assertThat(row.hasRestart()).isFalse();
  }

  /** Host a is gone, and the start of its VM on b has failed once. */
  private void failToRestart() throws Exception {
    createWithDisk("db");
    signs.say(Verdict.GONE, "its lock is free");
    site.agent("b").refuse("createVm", AgentException.Kind.REFUSED, "there is too little memory");
    silence(Duration.ofSeconds(3));
    look();
  }

  @Test
  void aVmRunsElsewhereOnceTheStorageSaysThatItsHostIsGone() throws Exception {
    createWithDisk("db");
    signs.say(Verdict.WAITING, "its lease is waited out: 3 of 11 s");
    silence(Duration.ofSeconds(3));
    look();
    assertThat(reason("db")).contains("not restarted yet: host a is silent", "as host b sees", "3 of 11 s");
    assertThat(site.machines().show("db").getReason()).as("it shows as running until its host is down").isEmpty();
    silence(Duration.ofSeconds(3));
    assertThat(site.machines().show("db").getReason()).contains("not restarted yet", "3 of 11 s");
    assertThat(site.row("db").getEpoch()).isEqualTo(1);

    signs.say(Verdict.GONE, "its lock is free");
    look();
    assertRunsOn("db", "b");
    assertThat(site.row("db").getEpoch()).isEqualTo(2);
    look();
    assertThat(failover.waiting()).isEmpty();
  }

  @Test
  void aMachineOfQemuIsRestartedOnceItIsNotKeptForTheNextAgentAnyMore() throws Exception {
    var _ = site.disks().create(CreateDiskRequest.newBuilder().setName("tux-disk").setSizeBytes(FakeSite.MIB)
        .setFormat(Disk.Format.RAW).setHost("a").build());
    Vm tux = site.machines().create(FakeSite.request("tux", "a").toBuilder().clearProgram().addDisks("tux-disk")
        .setQemu(QemuMachine.newBuilder().setKernel("/boot/vmlinuz")).build());
    createWithDisk("db");
    signs.say(Verdict.GONE, "its lock is free");
    signs.keep(tux.getId(), "another");
    silence(Duration.ofSeconds(3));
    look();
    assertRunsOn("db", "b");
    assertThat(site.row("tux").getOwnerHost()).isEqualTo("a");
    assertThat(reason("tux")).contains("its machine is kept there for the next agent");

    signs.keep();
    look();
    assertRunsOn("tux", "b");
    assertThat(site.row("tux").getEpoch()).isEqualTo(2);
  }

  @Test
  void aHostThatIsHeardIsNotEvenLookedAt() throws Exception {
    createWithDisk("db");
    signs.say(Verdict.GONE, "nonsense");
    look();
    silence(Duration.ofMillis(1400));
    look();
    assertThat(signs.looks()).isZero();
    assertRunsOn("db", "a");
  }

  @Test
  void aHostThatLivesKeepsItsVmsHoweverLongItIsSilent() throws Exception {
    createWithDisk("db");
    signs.say(Verdict.LIVES, "its agent's lock is held");
    silence(Duration.ofHours(1));
    look();
    assertRunsOn("db", "a");
    assertThat(reason("db")).contains("its agent's lock is held");
  }

  @Test
  void aHostThatIsHeardAgainBeforeTheRowChangesKeepsItsVms() throws Exception {
    createWithDisk("db");
    signs.say(Verdict.GONE, "its lock is free");
    silence(Duration.ofSeconds(3));
    // After the look, before the start.
    signs.afterLook(() -> site.heartbeat("a"));
    look();
    assertThat(site.row("db").getOwnerHost()).isEqualTo("a");
    assertThat(site.row("db").getEpoch()).isEqualTo(1);
    look();
    assertRunsOn("db", "a");
    assertThat(failover.waiting()).isEmpty();
  }

  @Test
  void aVmWithoutDisksAndOneWhoseHaIsOffAreLeftAlone() throws Exception {
    Vm _ = site.createVm("idle", "a");
    createWithDisk("off");
    Vm _ = site.machines().set(SetVmRequest.newBuilder().setName("off").setHa(Ha.Name.OFF).build());
    signs.say(Verdict.GONE, "its lock is free");
    silence(Duration.ofMinutes(1));
    look();
    assertRunsOn("idle", "a");
    assertRunsOn("off", "a");
    assertThat(failover.waiting()).isEmpty();
  }

  @Test
  void aHostThatAnOperatorConfirmedDeadNeedsNoLook() throws Exception {
    createWithDisk("db");
    silence(Duration.ofMinutes(1));
    var _ = site.inventory().confirmDead(new HostId("a"), site.incarnation("a"), "");
    look();
    assertRunsOn("db", "b");
    assertThat(signs.looks()).isZero();
  }

  @Test
  void aHostThatStartedAgainWithoutItsVmsHasThemRestartedOnceItHasSaidWhatItHas() throws Exception {
    createWithDisk("db");
    site.agent("a").lose(site.vmId("db").value());
    silence(Duration.ofSeconds(10));
    site.register("a");
    look();
    assertThat(reason("db")).contains("has not said what it takes over");
    site.heartbeat("a");
    signs.say(Verdict.LIVES, "its agent keeps its lock");
    look();
    assertThat(reason("db")).as("the one before may be cut off alone").contains("another agent", "keeps its lock");
    signs.say(Verdict.VERDICT_UNSPECIFIED, "its lease is another incarnation's");
    look();
    assertThat(site.row("db").getEpoch()).isEqualTo(2);
    assertThat(site.row("db").getPhase()).isEqualTo(VmRecord.Phase.ACTIVE);
    assertThat(site.row("db").hasRestart()).isFalse();
  }

  @Test
  void aHostThatStartedAgainAndEndedBeforeItSaidAnythingIsNotWaitedFor() throws Exception {
    createWithDisk("db");
    site.agent("a").lose(site.vmId("db").value());
    silence(Duration.ofSeconds(10));
    site.register("a");
    signs.say(Verdict.VERDICT_UNSPECIFIED, "its lease is another incarnation's");
    silence(Duration.ofSeconds(3));
    look();
    assertThat(reason("db")).contains("host a is silent", "another incarnation's");
    signs.say(Verdict.GONE, "its lock is free, and its lease was not renewed");
    look();
    assertRunsOn("db", "b");
  }

  @Test
  void whatFindsNoPlaceWaitsAndIsStartedWhenThereIsOne() throws Exception {
    createWithDisk("db");
    signs.say(Verdict.GONE, "its lock is free");
    Vm large = site.machines().create(FakeSite.request("large", "b").toBuilder().setMemoryBytes(FakeSite.MIB).build());
    Vm _ = site.machines().set(SetVmRequest.newBuilder().setName("large").setApartFrom("g").build());
    Vm _ = site.machines().set(SetVmRequest.newBuilder().setName("db").setApartFrom("g").build());
    silence(Duration.ofSeconds(3));
    look();
    assertThat(reason("db")).contains("no host can take it", large.getName());
    Vm _ = site.machines().set(SetVmRequest.newBuilder().setName("large").setApartFrom("").build());
    look();
    assertRunsOn("db", "b");
  }

  @Test
  void aStartThatFailsIsTriedAgainAndNotWithoutEnd() throws Exception {
    failToRestart();
    assertThat(site.row("db").getPhase()).isEqualTo(VmRecord.Phase.STOPPED);
    assertThat(site.row("db").getRestart().getAttempts()).isEqualTo(1);
    look();
    assertThat(reason("db")).contains("start 1 failed", "too little memory");

    var _ = site.ledger().notes().restart(site.vmId("db"),
        site.row("db").getRestart().toBuilder().setAttempts(Restarts.MOST_ATTEMPTS).build());
    look();
    assertThat(reason("db")).contains("waits for an operator", "10 starts have failed", "ferry vm start db");
    site.agent("b").accept("createVm");
    Vm _ = site.machines().start("db", "b", false);
    look();
    assertRunsOn("db", "b");
  }

  @Test
  void anotherProcessOfTheCoordinatorGoesOnWithAStartThatFailed() throws Exception {
    failToRestart();
    site.agent("b").accept("createVm");
    site = site.afterCoordinatorRestart();
    site.heartbeat("b");
    site.ticker().advance(FakeSite.HOST_TIMEOUT);
    site.heartbeat("b");
    failover = site.failover(signs);
    look();
    assertRunsOn("db", "b");
  }

  @Test
  void aVmThatAnOperatorStopsIsNotRestarted() throws Exception {
    failToRestart();
    Vm _ = site.machines().stop("db");
    assertThat(site.row("db").hasRestart()).isFalse();
    site.agent("b").accept("createVm");
    look();
    assertThat(site.row("db").getPhase()).isEqualTo(VmRecord.Phase.STOPPED);
  }

  @Test
  void aGuestThatSwitchedItselfOffIsNotStartedAgain() throws Exception {
    createWithDisk("db");
    site.hosts("a", "db", status -> status.setEpoch(1).setState(VmStatus.State.POWERED_OFF));
    site.heartbeat("a");
    signs.say(Verdict.GONE, "its lock is free");
    silence(Duration.ofSeconds(3));
    look();
    assertThat(site.row("db").getOwnerHost()).isEqualTo("a");
  }

  @Test
  void nothingIsRestartedWhileItIsDisarmedAndAllThatIsDueAfterwards() throws Exception {
    createWithDisk("db");
    signs.say(Verdict.GONE, "its lock is free");
    failover.settings().arm(false);
    silence(Duration.ofSeconds(3));
    look();
    assertRunsOn("db", "a");
    assertThat(reason("db")).contains("disarmed", "ferry ha arm");
    assertThat(new HaSettings(site.store(), Scheduler.SYSTEM).isArmed())
        .as("it is remembered").isFalse();
    failover.settings().arm(true);
    look();
    assertRunsOn("db", "b");
  }

  @Test
  void theHigherPriorityIsStartedWhereOnlyOneOfAGroupMayBe() throws Exception {
    for (String each : List.of("db", "web")) {
      createWithDisk(each);
      Vm _ = site.machines().set(SetVmRequest.newBuilder().setName(each).setApartFrom("g").build());
    }
    Vm _ = site.machines().set(SetVmRequest.newBuilder().setName("web").setPriority(900).build());
    signs.say(Verdict.GONE, "its lock is free");
    silence(Duration.ofSeconds(3));
    look();
    assertRunsOn("web", "b");
    assertThat(site.row("db").getOwnerHost()).isEqualTo("a");
    assertThat(reason("db")).contains("no host can take it");
  }

  private void awaitRunsOn(String vm, String host) {
    await().atMost(SOON).untilAsserted(() -> {
      look();
      assertRunsOn(vm, host);
    });
  }

  @Test
  void aStartThatFailedIsTriedOnAnotherHostNext() throws Exception {
    site.register("c");
    site.heartbeat("c");
    createWithDisk("db");
    signs.say(Verdict.GONE, "its lock is free");
    site.agent("b").refuse("createVm", AgentException.Kind.REFUSED, "the disk cannot be opened");
    silence(Duration.ofSeconds(3));
    site.heartbeat("c");
    look();
    assertThat(site.row("db").getRestart().getFailedOn()).isEqualTo("b");
    awaitRunsOn("db", "c");
  }

  @Test
  void aHostThatStopsWhileItStartsAVmDoesNotHoldItUp() throws Exception {
    site.register("c");
    site.heartbeat("c");
    createWithDisk("db");
    signs.say(Verdict.GONE, "its lock is free");
    site.agent("b").refuse("createVm", AgentException.Kind.UNREACHABLE, "its agent does not answer");
    silence(Duration.ofSeconds(3));
    site.heartbeat("c");
    failover.look();
    await().atMost(SOON).until(failover::isIdle);
    assertThat(site.row("db").getOwnerHost()).isEqualTo("b");
    site.ticker().advance(Duration.ofSeconds(10));
    site.heartbeat("c");
    await().atMost(SOON).untilAsserted(() -> {
      failover.look();
      await().atMost(SOON).until(failover::isIdle);
      assertRunsOn("db", "c");
    });
  }

  @Test
  void oneHostThatSeesItLiveOutweighsAllThatDoNot() throws Exception {
    site.register("c");
    site.heartbeat("c");
    createWithDisk("db");
    signs.say(Verdict.GONE, "its lock is free");
    signs.says("c", Verdict.LIVES, "its agent keeps its lock");
    silence(Duration.ofSeconds(3));
    site.heartbeat("c");
    look();
    assertRunsOn("db", "a");
    assertThat(reason("db")).contains("as host c sees", "keeps its lock");
  }

  @Test
  void aMoveThatWasUnderWayIsDecidedFirst() throws Exception {
    createWithDisk("db");
    var _ = site.migrate("db", "b");
    signs.say(Verdict.GONE, "its lock is free");
    silence(Duration.ofSeconds(3));
    look();
    assertThat(site.row("db").hasPending()).isFalse();
    assertThat(site.row("db").hasRestart()).isTrue();
    awaitRunsOn("db", "b");
    assertThat(site.row("db").getEpoch()).isEqualTo(2);
  }

  @Test
  void whatAnOperatorDidSinceTheLookIsNotUndone() throws Exception {
    createWithDisk("db");
    OwnershipLedger.Row seen = site.ledger().findByName("db").orElseThrow();
    Vm _ = site.machines().stop("db");
    assertThatThrownBy(() -> site.machines().restart(seen, "b", (host, incarnation) -> false))
        .hasMessageContaining("changed meanwhile");
    assertThatThrownBy(() -> site.ledger().notes().restart(seen, Restart.getDefaultInstance()))
        .hasMessageContaining("changed meanwhile");
    assertThat(site.row("db").getPhase()).isEqualTo(VmRecord.Phase.STOPPED);
  }

  @Test
  void whatWasNotedGoesWhenHaIsSwitchedOff() throws Exception {
    failToRestart();
    assertThat(site.row("db").hasRestart()).isTrue();
    Vm _ = site.machines().set(SetVmRequest.newBuilder().setName("db").setHa(Ha.Name.OFF).build());
    look();
    assertThat(site.row("db").hasRestart()).isFalse();
  }

  @Test
  void aStartByAnOperatorThatIsRefusedLeavesWhatIsDue() throws Exception {
    failToRestart();
    assertThatThrownBy(() -> site.machines().start("db", "nowhere", false)).hasMessageContaining("nowhere");
    assertThat(site.row("db").hasRestart()).isTrue();
    site.agent("b").accept("createVm");
    awaitRunsOn("db", "b");
  }

  @Test
  void whatWasBeingBuiltWhenTheCoordinatorEndedIsBuiltAnew() throws Exception {
    createWithDisk("db");
    silence(Duration.ofSeconds(3));
    var _ = site.ledger().notes().restart(site.vmId("db"), Restart.newBuilder().setFromHost("a").build());
    var _ = site.ledger().change(site.vmId("db"), new OwnershipEvent.Restart(new HostId("b"), site.incarnation("b"),
        "storage-1", new OwnershipEpoch(1), true), (host, incarnation) -> false);
    assertThat(site.row("db").getPhase()).isEqualTo(VmRecord.Phase.CREATING);
    look();
    assertRunsOn("db", "b");
    assertThat(site.row("db").getEpoch()).isEqualTo(3);
  }
}
