package dev.pageferry.coordinator.availability;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.availability.MembershipLeases.Binding;
import dev.pageferry.coordinator.availability.MembershipLeases.Said;
import dev.pageferry.coordinator.fakes.SiteFixture;
import dev.pageferry.coordinator.fakes.StorageSigns;
import dev.pageferry.coordinator.inventory.HostStops;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.agent.v1.QemuMachine;
import dev.pageferry.proto.cluster.v1.Ha;
import dev.pageferry.proto.cluster.v1.SetVmRequest;
import dev.pageferry.proto.records.v1.Restart;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** VMs without disks that are to be restarted: whom their host is to stop by itself, and when that is counted on. */
class MembershipLeasesTest extends SiteFixture {
  private static final HostId HOST = new HostId("a");
  private static final OwnershipEpoch FIRST = new OwnershipEpoch(1);
  private static final MembershipLeases.Answer NOTHING = new MembershipLeases.Answer(Map.of(), List.of());

  private final StorageSigns signs = new StorageSigns();
  private Failover failover;
  private MembershipLeases leases;
  private VmId vm;

  @BeforeEach
  void createVm() throws Exception {
    site.heartbeat("a", "b");
    failover = site.failover(signs);
    leases = failover.leases();
    vm = new VmId(site.createVm("web", "a").getId());
    wish(Ha.Name.ON);
    site.heartbeat("a", "b");
  }

  private void wish(Ha.Name ha) throws Exception {
    var _ = site.machines().set(SetVmRequest.newBuilder().setName("web").setHa(ha).build());
  }

  private MembershipLeases.Answer heard(Map<VmId, Said> said) {
    site.heartbeat("a");
    return leases.heard(HOST, site.incarnation("a"), Set.of(vm), said, false);
  }

  private Binding wished() {
    return new Binding(FIRST, site.row("web").getBondToken());
  }

  private MembershipLeases.Answer heardBound() {
    return heard(Map.of(vm, new Said(wished(), false)));
  }

  /** As its second heartbeat has it. */
  private void bind() {
    assertThat(heard(Map.of()).binds()).isEqualTo(Map.of(vm, wished()));
    assertThat(heardBound().binds()).isEqualTo(Map.of(vm, wished()));
    await().until(() -> MembershipLeases.isBound(site.row("web")));
  }

  private void look() throws Exception {
    failover.look();
    await().until(failover::isIdle);
  }

  private void silence(Duration time) {
    site.ticker().advance(time);
    site.heartbeat("b");
  }

  private String reason() {
    return failover.waiting().stream().map(Failover.Waiting::reason).findFirst().orElse("");
  }

  @Test
  void aVmThatIsBoundRunsElsewhereOnceTheLeaseOfItsHostIsWaitedOut() throws Exception {
    bind();
    silence(Duration.ofMillis(10_999));
    look();
    assertThat(reason()).contains("host a is silent for 10 s", "runs out after 11 s",
        "it is started no later than", "on host b");
    assertThat(site.row("web").getOwnerHost()).isEqualTo("a");
    silence(Duration.ofMillis(1));
    look();
    assertThat(site.row("web").getOwnerHost()).isEqualTo("b");
    assertThat(site.row("web").getEpoch()).isEqualTo(2);
    assertThat(MembershipLeases.isBound(site.row("web"))).as("its next host has not said so").isFalse();
  }

  @Test
  void nothingIsCountedOnThatTheHostHasNotSaid() throws Exception {
    assertThat(heard(Map.of()).binds()).containsKey(vm);
    silence(Duration.ofMinutes(1));
    look();
    assertThat(reason()).contains("no disk on its storage that would show whether it has ended");
    assertThat(site.row("web").getOwnerHost()).isEqualTo("a");
  }

  @Test
  void aVmThatIsNotToBeRestartedAnyMoreIsFreedByName() throws Exception {
    bind();
    wish(Ha.Name.AUTO);
    assertThat(site.row("web").hasBond()).as("in the write that changes the wish").isFalse();
    assertThat(heardBound().frees()).containsExactly(vm);
    silence(Duration.ofMinutes(1));
    look();
    assertThat(site.row("web").getOwnerHost()).isEqualTo("a");
  }

  /** Work on the network is to stop nobody. */
  @Test
  void nothingIsBoundWhileRestartsAreDisarmed() {
    bind();
    failover.arm(false);
    assertThat(site.row("web").hasBond()).isFalse();
    assertThat(heardBound()).isEqualTo(new MembershipLeases.Answer(Map.of(), List.of(vm)));
    failover.arm(true);
    bind();
  }

  @Test
  void aBondThatWasLeftInTheRowGoesBeforeItsHostIsFreed() {
    bind();
    // As a coordinator leaves it that dies in the middle.
    failover.settings().arm(false);
    assertThat(heardBound().frees()).isEmpty();
    await().until(() -> !site.row("web").hasBond());
    assertThat(heardBound().frees()).containsExactly(vm);
  }

  @Test
  void aWishThatComesBackCountsOnceTheHostHasSaidSoAgain() throws Exception {
    bind();
    wish(Ha.Name.OFF);
    wish(Ha.Name.ON);
    assertThat(MembershipLeases.isBound(site.row("web"))).isFalse();
    bind();
  }

  /** It may have been freed since by an answer that came after it. */
  @Test
  void whatAHostSaidOfAnEarlierWishIsOfNoUse() throws Exception {
    bind();
    Binding before = wished();
    wish(Ha.Name.AUTO);
    wish(Ha.Name.ON);
    assertThat(heard(Map.of(vm, new Said(before, false))).binds()).isEqualTo(Map.of(vm, wished()));
    assertThat(wished()).isNotEqualTo(before);
    assertThat(heard(Map.of()).binds()).containsKey(vm);
    assertThat(MembershipLeases.isBound(site.row("web"))).isFalse();
  }

  @Test
  void aMachineWithOptionsOfQemusOwnIsNotBound() throws Exception {
    Row row = site.ledger().findByName("web").orElseThrow();
    var _ = site.ledger().notes().describe(row.id(), spec -> spec.toBuilder().clearProgram()
        .setQemu(QemuMachine.newBuilder().addArguments("-device")).build());
    assertThat(heard(Map.of())).isEqualTo(NOTHING);
  }

  /** These records may be older than what the host has seen: it may run elsewhere. */
  @Test
  void aVmThatStoodStillIsNotLetWorkByACoordinatorThatHasJustBegun() throws Exception {
    bind();
    site = site.afterCoordinatorRestart();
    leases = site.failover(signs).leases();
    assertThat(heard(Map.of(vm, new Said(wished(), true)))).isEqualTo(NOTHING);
    assertThat(heardBound().binds()).as("one that never stood still was not started elsewhere").containsKey(vm);
    silence(Duration.ofSeconds(11));
    assertThat(heard(Map.of(vm, new Said(wished(), true))).binds()).containsKey(vm);
  }

  @Test
  void whileRecordsHaveGoneBackOnlyThoseGoOnThatNeverStoodStill() {
    bind();
    site.heartbeat("a");
    assertThat(leases.heard(HOST, site.incarnation("a"), Set.of(vm), Map.of(vm, new Said(wished(), true)), true))
        .isEqualTo(NOTHING);
    assertThat(leases.heard(HOST, site.incarnation("a"), Set.of(vm), Map.of(vm, new Said(wished(), false)), true)
        .binds()).isEqualTo(Map.of(vm, wished()));
  }

  @Test
  void aHostThatSaysThatItIsNotBoundIsBelieved() {
    bind();
    assertThat(heard(Map.of()).binds()).containsKey(vm);
    await().until(() -> !MembershipLeases.isBound(site.row("web")));
  }

  @Test
  void noAnswerRenewsTheLeaseOfAVmWhileItIsGivenAway() {
    bind();
    assertThat(heardBound().binds()).containsKey(vm);
    try (MembershipLeases.Withheld _ = leases.withholdRenewal(vm)) {
      assertThat(heardBound()).isEqualTo(NOTHING);
    }
    assertThat(heardBound().binds()).containsKey(vm);
  }

  /** Its host wakes, and has the copy yet, which is not to work again. */
  @Test
  void aVmThatIsAnotherHostsIsNeitherRenewedNorFreed() throws Exception {
    bind();
    silence(Duration.ofSeconds(12));
    look();
    assertThat(site.row("web").getOwnerHost()).isEqualTo("b");
    assertThat(heardBound()).isEqualTo(NOTHING);
  }

  /** Else the row would change under a host that has its lease again. */
  @Test
  void aHostThatWasHeardSinceItWasJudgedKeepsItsVm() throws Exception {
    bind();
    silence(Duration.ofSeconds(12));
    site.agent("b").when("createVm", () -> {
      throw new AssertionError("it is not to be built");
    });
    Restarts restarts = new Restarts(site.ledger(), site.machines(), (host, incarnation) -> false, leases,
        Scheduler.SYSTEM);
    var judged = site.ledger().findByName("web").orElseThrow();
    var _ = heardBound();
    // Silent again, and for longer than it takes to be missed.
    silence(Duration.ofSeconds(3));
    restarts.begin(judged, "b", "the lease has run out");
    await().until(restarts::isIdle);
    assertThat(site.row("web").getOwnerHost()).isEqualTo("a");
  }

  @Test
  void theSilenceOfAHostThatThisProcessNeverHeardCountsFromItsStart() throws Exception {
    bind();
    site = site.afterCoordinatorRestart();
    failover = site.failover(signs);
    silence(Duration.ofSeconds(10));
    look();
    assertThat(site.row("web").getOwnerHost()).isEqualTo("a");
    silence(Duration.ofSeconds(1));
    look();
    assertThat(site.row("web").getOwnerHost()).isEqualTo("b");
  }

  @Test
  void aVmWhoseHostsStopOneAfterTheOtherIsStartedLaterFromTheSixthTimeInAnHourOn() throws Exception {
    VmRecord record = site.row("web");
    long now = System.currentTimeMillis();
    Row row = site.ledger().findByName("web").orElseThrow();
    for (int i = 5; i > 0; i--) {
      row = site.ledger().notes().due(row,
          Restart.newBuilder().setSinceMillis(now - i * 1000L).build());
    }
    var _ = site.ledger().notes().forgetRestart(vm);
    bind();
    silence(Duration.ofSeconds(12));
    look();
    assertThat(reason()).contains("its hosts stopped 5 times within an hour", "it is started after");
    assertThat(site.row("web").getEpoch()).isEqualTo(record.getEpoch());
  }

  private void quarantine(String host) {
    long now = System.currentTimeMillis();
    for (int life = 1; life <= HostStops.MOST; life++) {
      site.inventory().stops().note(new HostId(host), new Incarnation("life-" + life), now - 10 + life);
    }
  }

  @Test
  void aHostThatStoppedThreeTimesWithinAnHourGetsNoVmsWhereAnotherOneIsUp() throws Exception {
    bind();
    quarantine("b");
    site.register("c");
    site.ticker().advance(Duration.ofSeconds(12));
    site.heartbeat("b", "c");
    assertThat(site.deaths().place("web").getHostsList().stream().filter(each -> each.getHost().equals("b"))
        .findFirst().orElseThrow().getReason()).contains("it stopped 3 times within an hour",
            "'ferry host activate b' ends that");
    look();
    assertThat(site.row("web").getOwnerHost()).isEqualTo("c");
  }

  /** It was none of the hosts then, but what they have their power from. */
  @Test
  void whereAllHostsThatAreUpStoppedThatOftenNoneIsQuarantined() throws Exception {
    bind();
    quarantine("b");
    silence(Duration.ofSeconds(12));
    look();
    assertThat(site.row("web").getOwnerHost()).isEqualTo("b");
  }
}
