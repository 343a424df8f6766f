package dev.pageferry.coordinator.rpc;

import static dev.pageferry.coordinator.rpc.ServedSite.refused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.ConfirmHostDeadRequest;
import dev.pageferry.proto.cluster.v1.GetHostRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.registry.v1.CommitRequest;
import dev.pageferry.proto.registry.v1.Decision;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.ProbeRequest;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import dev.pageferry.proto.registry.v1.ResolveRequest;
import dev.pageferry.proto.registry.v1.StaleVm;
import dev.pageferry.proto.registry.v1.VmInDoubt;
import io.grpc.Status.Code;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What agents ask: to be known, which of their VMs are stale, and who won. */
@Timeout(60)
class RegistryServiceTest {
  @TempDir
  Path directory;
  private ServedSite served;
  private FakeSite site;

  @BeforeEach
  void open() throws IOException {
    served = new ServedSite(directory);
    site = served.site();
    site.register("a");
    site.register("b");
  }

  @AfterEach
  void close() throws InterruptedException {
    served.close();
  }

  @Test
  void aHostThatRegistersIsToldItsRhythmAndIsUp() {
    RegisterResponse response = served.registry().register(RegisterRequest.newBuilder().setHostId("c")
        .setIncarnation("c-life-1").setAddress("127.0.0.1:1").setMigrationAddress("127.0.0.1:2").setMemoryBytes(10)
        .setMemoryFreeBytes(5).setVersion("1").build());
    assertThat(response.getHeartbeatIntervalMillis()).isEqualTo(ServedSite.HEARTBEAT.toMillis());
    assertThat(response.getLeaseMillis()).isEqualTo(ServedSite.LEASE.toMillis());
    assertThat(site.inventory().find(new HostId("c")).orElseThrow().isUp()).isTrue();
    assertThat(site.inventory().find(new HostId("c")).orElseThrow().memoryFreeBytes()).isEqualTo(5);
  }

  @Test
  void noMoreHostsAreTakenInThanFit() {
    RegisterRequest.Builder request = RegisterRequest.newBuilder().setAddress("127.0.0.1:1")
        .setMigrationAddress("127.0.0.1:2").setMemoryBytes(10).setVersion("1");
    for (int i = site.inventory().list().size(); i < 1000; i++) {
      RegisterResponse taken = served.registryOfThisVersion()
          .register(request.setHostId("h-" + i).setIncarnation("life-" + i).build());
      assertThat(taken.getRefusal()).isEqualTo(RegisterResponse.Refusal.NONE);
    }
    RegisterResponse refused = served.registryOfThisVersion()
        .register(request.setHostId("one-more").setIncarnation("life").build());
    assertThat(refused.getRefusal()).isEqualTo(RegisterResponse.Refusal.WAIT);
    assertThat(refused.getReason()).contains("this cluster has 1000 hosts");
    assertThat(served.registryOfThisVersion()
        .register(request.setHostId("h-999").setIncarnation("life-999").build()).getRefusal())
        .as("one that is in comes again").isEqualTo(RegisterResponse.Refusal.NONE);
  }

  @Test
  void malformedNamesAreRefused() {
    refused(Code.INVALID_ARGUMENT, "HostId",
        () -> served.registry().register(RegisterRequest.newBuilder().setIncarnation("x").build()));
    refused(Code.INVALID_ARGUMENT, "Incarnation",
        () -> served.registry().register(RegisterRequest.newBuilder().setHostId("c").build()));
    refused(Code.INVALID_ARGUMENT, "VmId",
        () -> served.ownership().commit(CommitRequest.newBuilder().setMigrationId("m").build()));
    refused(Code.INVALID_ARGUMENT, "MigrationId",
        () -> served.ownership().resolve(ResolveRequest.newBuilder().setVmId("v").build()));
  }

  @Test
  void aHeartbeatOfAnUnknownIncarnationGetsNoLease() {
    for (HeartbeatRequest each : List.of(
        HeartbeatRequest.newBuilder().setHostId("a").setIncarnation("another").build(),
        HeartbeatRequest.newBuilder().setHostId("never-seen").setIncarnation("x").build())) {
      HeartbeatResponse response = served.registry().heartbeat(each);
      assertThat(response.getUnknown()).isTrue();
      assertThat(response.getLeaseMillis()).isZero();
      assertThat(response.getStaleVmsList()).isEmpty();
    }
  }

  @Test
  void aHeartbeatRenewsTheLeaseAndOrdersNothingWhereAllIsWell() throws RequestException {
    site.createVm("db", "a");
    HeartbeatResponse response = heartbeat("a", status("db", 1));
    assertThat(response.getUnknown()).isFalse();
    assertThat(response.getLeaseMillis()).isEqualTo(ServedSite.LEASE.toMillis());
    assertThat(response.getStaleVmsList()).isEmpty();
  }

  @Test
  void aVmWithoutARecordIsNotOrderedDestroyed() {
    assertThat(heartbeat("a", VmStatus.newBuilder().setId("unheard-of").setEpoch(1).build()).getStaleVmsList())
        .isEmpty();
    assertThat(site.history().isInTrouble()).as("records that do not know a VM that runs are older than it").isTrue();
  }

  @Test
  void whatAHostIsInDoubtAboutIsShownToOperators() {
    HeartbeatResponse unused = served.registry().heartbeat(HeartbeatRequest.newBuilder().setHostId("a")
        .setIncarnation(site.incarnation("a").value()).addInDoubt(VmInDoubt.newBuilder().setVmId("v")
            .setMigrationId("M").setEpoch(7).setReason("nothing is decided yet"))
        .build());
    assertThat(served.cluster().getHost(GetHostRequest.newBuilder().setId("a").build()).getInDoubtList())
        .containsExactly("VM v of migration M, epoch 7: nothing is decided yet");
  }

  @Test
  void anEpochThatTwoHostsHaveWasGivenOutTwice() throws RequestException {
    site.createVm("db", "a");
    assertThat(heartbeat("b", status("db", 1)).getStaleVmsList()).isEmpty();
    assertThat(site.history().trouble().orElseThrow().evidence()).singleElement().asString()
        .contains("host b has VM db under epoch 1, which the records gave to host a");
  }

  @Test
  void noCopyIsDestroyedByRecordsThatALaterLineOfTheSameHeartbeatProvesToBeOld() throws RequestException {
    site.createVm("db", "a");
    site.machines().stop("db");
    HeartbeatResponse answer = heartbeat("a", status("db", 1),
        VmStatus.newBuilder().setId("unheard-of").setEpoch(1).build());
    assertThat(answer.getStaleVmsList()).isEmpty();
  }

  @Test
  void aCopyOfADeletedVmIsStaleWhereverItTurnsUp() throws RequestException {
    site.createVm("db", "a");
    assertThat(commit(site.migrate("db", "b")).getOutcome()).isEqualTo(Decision.Outcome.COMMITTED);
    StaleVm atTheSource = stale("db", 1);
    StaleVm atTheDestination = stale("db", 2);
    // The destination dies before it runs the VM; the source keeps its paused copy.
    site.register("b");
    site.machines().delete("db", true);

    assertThat(heartbeat("a", copy(atTheSource)).getStaleVmsList()).containsExactly(atTheSource);
    assertThat(heartbeat("b", copy(atTheDestination)).getStaleVmsList()).containsExactly(atTheDestination);
  }

  private static VmStatus copy(StaleVm of) {
    return VmStatus.newBuilder().setId(of.getId()).setEpoch(of.getEpoch()).setState(VmStatus.State.PAUSED).build();
  }

  @Test
  void anAgentIsToldWhyItIsNotTakenIn() {
    RegisterResponse taken = served.registryOfThisVersion().register(request("a", "another-life", "10.9.9.9:1"));
    assertThat(taken.getRefusal()).isEqualTo(RegisterResponse.Refusal.TAKEN);
    assertThat(taken.getReason()).contains("host a", "--host-id");
    assertThat(taken.getLeaseMillis()).isZero();

    String first = site.incarnation("a").value();
    site.register("a");
    RegisterResponse superseded = served.registry().register(request("a", first, "10.9.9.9:1"));
    assertThat(superseded.getRefusal()).isEqualTo(RegisterResponse.Refusal.SUPERSEDED);
    assertThat(superseded.getLeaseMillis()).isZero();
  }

  @Test
  void anAgentOfTheVersionBeforeIsNotToldWhatWouldEndItWithItsGuests() {
    refused(Code.UNAVAILABLE, "--host-id", () -> served.registry().register(request("a", "another", "10.9.9.9:1")));
    site.ticker().advance(FakeSite.HOST_TIMEOUT);
    refused(Code.UNAVAILABLE, "is not known to have ended",
        () -> served.registry().register(request("a", "another", "10.9.9.9:1")));
  }

  @Test
  void anAgentThatProvesThatTheOneBeforeEndedIsTakenInAtOnce() {
    RegisterRequest first = request("c", "c-life-1", "10.9.9.9:1").toBuilder().setBootId("boot").build();
    RegisterRequest second = request("c", "c-life-2", "10.9.9.9:7").toBuilder().setBootId("boot").build();
    assertThat(served.registry().register(first).getRefusal()).isEqualTo(RegisterResponse.Refusal.NONE);
    assertThat(served.registryOfThisVersion().register(second).getRefusal()).isEqualTo(RegisterResponse.Refusal.TAKEN);
    assertThat(served.registry().register(second.toBuilder().addEndedIncarnations("c-life-1").build()).getRefusal())
        .isEqualTo(RegisterResponse.Refusal.NONE);
  }

  @Test
  void anAgentThatReplacesASilentOneIsToldHowLongItWaitsAndThenForWhoseWord() throws RequestException {
    site.createVm("web", "a");
    site.ticker().advance(FakeSite.HOST_TIMEOUT);
    RegisterResponse early = served.registryOfThisVersion().register(request("a", "another", "10.9.9.9:1"));
    assertThat(early.getRefusal()).isEqualTo(RegisterResponse.Refusal.WAIT);
    assertThat(early.getWaitMillis()).isEqualTo(FakeSite.HOST_TIMEOUT.toMillis());

    site.ticker().advance(FakeSite.HOST_TIMEOUT);
    RegisterResponse late = served.registryOfThisVersion().register(request("a", "another", "10.9.9.9:1"));
    assertThat(late.getRefusal()).isEqualTo(RegisterResponse.Refusal.WAIT);
    assertThat(late.getWaitMillis()).isZero();
    assertThat(late.getReason()).contains("VM web", "ferry host confirm-dead a");

    confirmDead("a");
    assertThat(served.registry().register(request("a", "another", "10.9.9.9:1")).getRefusal())
        .isEqualTo(RegisterResponse.Refusal.NONE);
  }

  @Test
  void anAgentWhoseGuestsAllHaveDisksOnSharedStorageIsReplacedAfterItsLeases() throws RequestException {
    site.disks().create(dev.pageferry.proto.cluster.v1.CreateDiskRequest.newBuilder().setName("disk").setSizeBytes(1)
        .setHost("a").build());
    site.machines().create(FakeSite.request("db", "a").toBuilder().addDisks("disk").build());
    site.ticker().advance(FakeSite.HOST_TIMEOUT.multipliedBy(2));
    assertThat(served.registry().register(request("a", "another", "10.9.9.9:1")).getRefusal())
        .isEqualTo(RegisterResponse.Refusal.NONE);
  }

  @Test
  void anAgentThatWasConfirmedDeadIsSupersededWhenItComesBack() {
    site.timeOutAllBut("b");
    confirmDead("a");
    String first = site.incarnation("a").value();
    assertThat(served.registry()
        .heartbeat(HeartbeatRequest.newBuilder().setHostId("a").setIncarnation(first).build()).getUnknown()).isTrue();
    assertThat(served.registry().register(request("a", first, FakeSite.address("a"))).getRefusal())
        .isEqualTo(RegisterResponse.Refusal.SUPERSEDED);
  }

  private void confirmDead(String host) {
    assertThat(served.cluster().confirmHostDead(
        ConfirmHostDeadRequest.newBuilder().setId(host).setConfirmed(true).build()).getConfirmed()).isTrue();
  }

  private static RegisterRequest request(String host, String incarnation, String address) {
    return RegisterRequest.newBuilder().setHostId(host).setIncarnation(incarnation).setAddress(address)
        .setMigrationAddress("10.9.9.9:2").setMemoryBytes(10).setMemoryFreeBytes(5).setVersion("1").build();
  }

  @Test
  void aVmThatItsRowCallsStoppedIsStale() throws RequestException {
    site.createVm("db", "a");
    site.machines().stop("db");
    assertThat(heartbeat("a", status("db", 1)).getStaleVmsList()).containsExactly(stale("db", 1));
    assertThat(heartbeat("b", status("db", 1)).getStaleVmsList()).containsExactly(stale("db", 1));
  }

  @Test
  void aCopyUnderAnOlderEpochOfTheSameHostIsStale() throws RequestException {
    site.createVm("db", "a");
    site.machines().stop("db");
    site.machines().start("db", "", false);
    assertThat(heartbeat("a", status("db", 1)).getStaleVmsList()).containsExactly(stale("db", 1));
    assertThat(heartbeat("a", status("db", 2)).getStaleVmsList()).isEmpty();
  }

  @Test
  void theSourcesPausedCopyIsKeptUntilTheDestinationIsKnownToRunTheVm() throws RequestException {
    site.createVm("db", "a");
    Migration migration = site.migrate("db", "b");
    assertThat(heartbeat("a", status("db", 1)).getStaleVmsList()).as("not decided").isEmpty();
    assertThat(commit(migration).getOutcome()).isEqualTo(Decision.Outcome.COMMITTED);
    assertThat(heartbeat("a", status("db", 1)).getStaleVmsList()).as("decided, not seen running").isEmpty();

    assertThat(heartbeat("b", status("db", 2)).getStaleVmsList()).isEmpty();
    assertThat(heartbeat("a", status("db", 1)).getStaleVmsList())
        .containsExactly(stale("db", 1).toBuilder().setRunsElsewhere(true).build());
  }

  @Test
  void theOwnerOfAVmThatWasStoppedBeforeItWasSeenRunningIsNotSaidToRunIt() throws RequestException {
    site.createVm("db", "a");
    commit(site.migrate("db", "b"));
    site.register("b");
    site.machines().stop("db");
    assertThat(heartbeat("a", status("db", 1)).getStaleVmsList()).containsExactly(stale("db", 1));
  }

  @Test
  void aDestinationThatRestartedBeforeItReportedLeavesTheSourcesCopyAlone() throws RequestException {
    site.createVm("db", "a");
    Migration migration = site.migrate("db", "b");
    commit(migration);
    heartbeat("b", status("db", 2));
    site.register("b");
    assertThat(heartbeat("a", status("db", 1)).getStaleVmsList()).isEmpty();
  }

  @Test
  void commitAndResolveAnswerOverTheWireAsTheRowDoes() throws RequestException {
    site.createVm("db", "a");
    Migration first = site.migrate("db", "b");
    await().until(() -> site.agent("a").count("startOutgoing") == 1);
    Decision committed = Decision.newBuilder().setOutcome(Decision.Outcome.COMMITTED).setOwnerHost("b").setEpoch(2)
        .build();
    assertThat(commit(first)).isEqualTo(committed);
    assertThat(commit(first)).isEqualTo(committed);
    assertThat(resolve(first)).isEqualTo(committed);

    site.hosts("b", "db", vm -> vm.setEpoch(2));
    site.heartbeat("b");
    Migration second = site.migrate("db", "a");
    Decision aborted = Decision.newBuilder().setOutcome(Decision.Outcome.ABORTED).setOwnerHost("b").setEpoch(2).build();
    assertThat(resolve(second)).isEqualTo(aborted);
    assertThat(commit(second)).isEqualTo(aborted);
    // An agent of the version before would destroy its copy if it heard UNKNOWN.
    refused(Code.UNAVAILABLE, "may be older than the question", () -> served.ownership()
        .commit(CommitRequest.newBuilder().setVmId(site.vmId("db").value()).setMigrationId("nobodys").build()));
    assertThat(served.ownership().probe(ProbeRequest.getDefaultInstance())).isNotNull();
  }

  @Test
  void aDestinationThatRegisteredAnewLosesTheCommit() throws RequestException {
    site.createVm("db", "a");
    Migration migration = site.migrate("db", "b");
    site.register("b");
    assertThat(commit(migration).getOutcome()).isEqualTo(Decision.Outcome.ABORTED);
    assertThat(site.owner("db")).containsExactly("a", 1L);
  }

  @Test
  void aDestinationThatFellSilentLosesTheCommit() throws RequestException {
    site.createVm("db", "a");
    Migration migration = site.migrate("db", "b");
    site.timeOutAllBut("a");
    assertThat(commit(migration).getOutcome()).isEqualTo(Decision.Outcome.ABORTED);
    assertThat(site.owner("db")).containsExactly("a", 1L);
  }

  private HeartbeatResponse heartbeat(String host, VmStatus... vms) {
    return served.registry().heartbeat(HeartbeatRequest.newBuilder().setHostId(host)
        .setIncarnation(site.incarnation(host).value()).setMemoryFreeBytes(1).addAllVms(List.of(vms)).build());
  }

  private VmStatus status(String vm, long epoch) {
    return VmStatus.newBuilder().setId(site.vmId(vm).value()).setEpoch(epoch).setState(VmStatus.State.RUNNING).build();
  }

  private StaleVm stale(String vm, long epoch) {
    return StaleVm.newBuilder().setId(site.vmId(vm).value()).setEpoch(epoch).build();
  }

  private Decision commit(Migration migration) {
    return served.ownership().commit(CommitRequest.newBuilder().setVmId(site.vmId(migration.getVm()).value())
        .setMigrationId(migration.getId()).build());
  }

  private Decision resolve(Migration migration) {
    return served.ownership().resolve(ResolveRequest.newBuilder().setVmId(site.vmId(migration.getVm()).value())
        .setMigrationId(migration.getId()).build());
  }
}
