package dev.pageferry.coordinator.rpc;

import static dev.pageferry.coordinator.rpc.ServedSite.refused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.ClaimVmRequest;
import dev.pageferry.proto.cluster.v1.ConfirmHostDeadRequest;
import dev.pageferry.proto.cluster.v1.ConfirmHostDeadResponse;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.ListHostsRequest;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.RecordsTrouble;
import dev.pageferry.proto.cluster.v1.RepairRecordsRequest;
import dev.pageferry.proto.cluster.v1.RepairRecordsResponse;
import dev.pageferry.proto.cluster.v1.StartVmRequest;
import dev.pageferry.proto.cluster.v1.StopVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.VmRecord;
import dev.pageferry.proto.registry.v1.CommitRequest;
import dev.pageferry.proto.registry.v1.Decision;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import dev.pageferry.proto.registry.v1.RecordsSeen;
import dev.pageferry.proto.registry.v1.RecordsStamp;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import dev.pageferry.proto.registry.v1.ResolveRequest;
import dev.pageferry.proto.registry.v1.VmInDoubt;
import io.grpc.Metadata;
import io.grpc.Status.Code;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A backup of the records is restored: VM db is stopped in it, and runs on host a. */
@Timeout(60)
class RestoredRecordsTest {
  private static final String FILE = "coordinator.db";
  private static final Metadata.Key<RecordsSeen> SEEN = Metadata.Key.of("pageferry-records-seen-bin",
      ProtoUtils.metadataMarshaller(RecordsSeen.getDefaultInstance()));

  @TempDir
  Path directory;
  private FakeSite site;
  private ServedSite served;
  private RecordsStamp lastSeen;
  private String id;

  @BeforeEach
  void restoreABackup() throws Exception {
    Path records = directory.resolve("records");
    site = new FakeSite(records);
    site.register("a");
    site.register("b");
    site.createVm("db", "a");
    id = site.vmId("db").value();
    site.machines().stop("db");
    site = site.afterCoordinatorRestart();
    Files.copy(records.resolve(FILE), directory.resolve(FILE));
    site.heartbeat("a", "b");
    site.machines().start("db", "", false);
    lastSeen = site.history().stamp();
    site.close();
    try (var left = Files.list(records)) {
      for (Path each : left.toList()) {
        Files.delete(each);
      }
    }
    Files.copy(directory.resolve(FILE), records.resolve(FILE), StandardCopyOption.REPLACE_EXISTING);
    site = site.afterCoordinatorRestart();
    served = new ServedSite(site);
  }

  @AfterEach
  void close() throws Exception {
    served.close();
  }

  private HeartbeatRequest beat(String host, VmStatus... vms) {
    return HeartbeatRequest.newBuilder().setHostId(host).setIncarnation(site.incarnation(host).value())
        .addAllVms(List.of(vms)).build();
  }

  private VmStatus running() {
    return VmStatus.newBuilder().setId(id).setEpoch(2).setState(VmStatus.State.RUNNING).build();
  }

  /** As an agent of this version asks: with what it has seen. */
  private HeartbeatResponse beatOfThisVersion(HeartbeatRequest request) {
    Metadata headers = new Metadata();
    headers.put(SEEN, RecordsSeen.newBuilder().setHostId(request.getHostId()).addStamps(lastSeen).build());
    return served.registry().withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers)).heartbeat(request);
  }

  private RepairRecordsResponse repair(boolean dryRun) {
    return served.cluster().repairRecords(RepairRecordsRequest.newBuilder().setDryRun(dryRun).build());
  }

  private RecordsTrouble trouble() {
    return served.cluster().listVms(ListVmsRequest.getDefaultInstance()).getRecords();
  }

  @Test
  void aVmThatRunsThoughItsRowSaysStoppedIsNotDestroyed() {
    HeartbeatResponse answer = served.registry().heartbeat(beat("a", running()));

    assertThat(answer.getStaleVmsList()).isEmpty();
    assertThat(answer.getLeaseMillis()).as("leases are renewed").isPositive();
    assertThat(trouble().getEvidenceList()).singleElement().asString().contains("db").contains("epoch 2");
    assertThat(served.cluster().listHosts(ListHostsRequest.getDefaultInstance()).hasRecords()).isTrue();
  }

  @Test
  void whatAHostHasSeenProvesItBeforeAnyRowIsLookedAt() {
    HeartbeatResponse answer = beatOfThisVersion(beat("b"));

    assertThat(answer.getUnknown()).isFalse();
    assertThat(trouble().getEvidenceList()).singleElement().asString().contains("host b");
    assertThat(trouble().getSilentHostsList()).containsExactly("a");
  }

  @Test
  void noRowChangesAndNoEpochIsGivenOut() {
    long ordered = site.agent("a").count("destroyVm");
    HeartbeatResponse unused = beatOfThisVersion(beat("a", running()));

    refused(Code.FAILED_PRECONDITION, "records repair", () -> served.cluster()
        .startVm(StartVmRequest.newBuilder().setName("db").build()));
    refused(Code.FAILED_PRECONDITION, "records repair", () -> served.cluster()
        .stopVm(StopVmRequest.newBuilder().setName("db").build()));
    refused(Code.FAILED_PRECONDITION, "went back in time", () -> served.ownership()
        .commit(CommitRequest.newBuilder().setVmId(id).setMigrationId("M").build()));
    assertThat(site.agent("a").count("destroyVm")).as("orders to destroy").isEqualTo(ordered);
  }

  @Test
  void anIncarnationThatTheRecordsDoNotKnowIsTakenInAndToldNothingThatEndsIt() {
    HeartbeatResponse unused = beatOfThisVersion(beat("b"));
    RegisterResponse answer = served.registry().register(RegisterRequest.newBuilder().setHostId("a")
        .setIncarnation("a-life-9").setAddress(FakeSite.address("a")).build());

    assertThat(answer.getRefusal()).isEqualTo(RegisterResponse.Refusal.NONE);
    assertThat(answer.getLeaseMillis()).isPositive();
  }

  @Test
  void anOperatorPutsRowsRightFromWhatHostsReportAndThenRowsChangeAgain() throws Exception {
    HeartbeatResponse unused = beatOfThisVersion(beat("a", running()));
    assertThat(repair(true).getRepairsList()).singleElement().satisfies(each -> {
      assertThat(each.getVm()).isEqualTo("db");
      assertThat(each.getBefore()).contains("stopped").contains("epoch 1");
      assertThat(each.getAfter()).contains("host a").contains("epoch 2");
    });
    assertThat(site.history().isInTrouble()).isTrue();
    RepairRecordsResponse done = repair(false);
    assertThat(done.getRepairsList()).singleElement().satisfies(each -> assertThat(each.getRefusal()).isEmpty());
    assertThat(done.getRecords().getSilentHostsList()).as("it may have VMs, too").containsExactly("b");
    assertThat(site.history().isInTrouble()).isTrue();

    HeartbeatResponse last = beatOfThisVersion(beat("b"));
    assertThat(last.getStaleVmsList()).isEmpty();
    await().until(() -> !site.history().isInTrouble());
    assertThat(served.cluster().getVm(GetVmRequest.newBuilder().setName("db").build()).getEpoch()).isEqualTo(2);
    assertThat(beatOfThisVersion(beat("a", running())).getStaleVmsList()).isEmpty();
    assertThat(site.history().isInTrouble()).as("what was put right is no proof any more").isFalse();

    Vm stopped = served.cluster().stopVm(StopVmRequest.newBuilder().setName("db").build());
    assertThat(stopped.getState()).isEqualTo(Vm.State.STOPPED);
    assertThat(site.machines().start("db", "b", false).getEpoch()).as("later than any that was given out").isEqualTo(3);
  }

  @Test
  void anIncarnationWhosePlaceAnotherTookWithoutProofIsSilentUntilAnOperatorSaysOtherwise() {
    HeartbeatResponse first = beatOfThisVersion(beat("a", running()));
    HeartbeatResponse second = beatOfThisVersion(beat("b"));
    String before = site.incarnation("b").value();
    RegisterResponse unused = served.registry().register(RegisterRequest.newBuilder().setHostId("b")
        .setIncarnation("b-elsewhere").setAddress("b-elsewhere:1").build());
    HeartbeatResponse third = beatOfThisVersion(HeartbeatRequest.newBuilder().setHostId("b")
        .setIncarnation("b-elsewhere").build());
    assertThat(repair(false).getRecords().getSilentHostsList()).containsExactly("b (incarnation %s)".formatted(before));
    assertThat(site.history().isInTrouble()).isTrue();

    ConfirmHostDeadResponse confirmed = served.cluster()
        .confirmHostDead(ConfirmHostDeadRequest.newBuilder().setId("b").setConfirmed(true).build());
    RegisterRequest back = RegisterRequest.newBuilder().setHostId("b").setIncarnation(before)
        .setAddress(FakeSite.address("b")).build();
    assertThat(served.registry().register(back).getRefusal()).isEqualTo(RegisterResponse.Refusal.SUPERSEDED);
    assertThat(repair(false).hasRecords()).isFalse();
    assertThat(served.registry().register(back).getRefusal()).as("its place is taken, and its VMs run elsewhere by now")
        .isEqualTo(RegisterResponse.Refusal.SUPERSEDED);
  }

  /** Its commit is among what the records lost; whoever had the VM has given it away. */
  @Test
  void aCopyThatAHostKeepsInDoubtIsTheVmAndRunsOnceAnOperatorHasPutRowsRight() throws Exception {
    String web = addWeb();
    VmInDoubt doubt = VmInDoubt.newBuilder().setVmId(web).setMigrationId("lost").setEpoch(2).setReason("no answer")
        .build();
    HeartbeatResponse first = beatOfThisVersion(beat("a", running()));
    HeartbeatResponse second = beatOfThisVersion(beat("b").toBuilder().addInDoubt(doubt).build());
    assertThat(repair(true).getRepairsList()).filteredOn(each -> each.getVm().equals("web")).singleElement()
        .satisfies(each -> assertThat(each.getAfter()).contains("host b, epoch 2, which keeps it in doubt"));
    assertThat(repair(false).hasRecords()).isFalse();

    Decision answer = ofThisVersion().resolve(ResolveRequest.newBuilder().setVmId(web).setMigrationId("lost")
        .setFromDestination(true).build());
    assertThat(answer.getOutcome()).isEqualTo(Decision.Outcome.COMMITTED);
    assertThat(answer.getEpoch()).isEqualTo(2);
    assertThat(site.owner("web")).containsExactly("b", 2L);
  }

  /** A source that asks about a migration which the records lost goes on with the VM that they call its own. */
  @Test
  void anOperationThatTheRecordsLostIsAbortedOnceTheyAreRight() throws Exception {
    String web = addWeb();
    ResolveRequest question = ResolveRequest.newBuilder().setVmId(web).setMigrationId("lost").build();
    assertThat(ofThisVersion().resolve(question).getOutcome()).isEqualTo(Decision.Outcome.UNKNOWN);
    VmStatus paused = VmStatus.newBuilder().setId(web).setEpoch(1).setState(VmStatus.State.PAUSED).build();
    HeartbeatResponse first = beatOfThisVersion(beat("a", running(), paused));
    HeartbeatResponse second = beatOfThisVersion(beat("b"));
    assertThat(repair(false).hasRecords()).isFalse();

    Decision answer = ofThisVersion().resolve(question);
    assertThat(answer.getOutcome()).isEqualTo(Decision.Outcome.ABORTED);
    assertThat(answer.getEpoch()).isEqualTo(1);
  }

  @Test
  void ofTwoCopiesOfOneEpochTheOneThatIsNotClaimedIsDestroyed() throws Exception {
    HeartbeatResponse first = beatOfThisVersion(beat("a", running()));
    HeartbeatResponse second = beatOfThisVersion(beat("b", running()));
    assertThat(repair(false).getRepairsList()).singleElement()
        .satisfies(each -> assertThat(each.getRefusal()).contains("[a, b]", "ferry vm claim"));
    Vm claimed = served.cluster().claimVm(ClaimVmRequest.newBuilder().setName("db").setHost("b").build());
    assertThat(claimed.getHost()).isEqualTo("b");
    assertThat(site.agent("a").count("destroyVm")).isPositive();
    assertThat(site.history().isInTrouble()).as("its heartbeats have not said yet that it is gone").isTrue();
    HeartbeatResponse third = beatOfThisVersion(beat("a"));
    await().until(() -> !site.history().isInTrouble());
  }

  /** Of which the restored records know that it is on host a. */
  private String addWeb() {
    assertThat(site.ledger().add(VmRecord.newBuilder().setSpec(VmSpec.newBuilder().setId("id-of-web").setName("web"))
        .setPhase(VmRecord.Phase.ACTIVE).setOwnerHost("a").setOwnerIncarnation(site.incarnation("a").value())
        .setEpoch(1).build())).isTrue();
    return "id-of-web";
  }

  private OwnershipGrpc.OwnershipBlockingStub ofThisVersion() {
    return served.ownership().withInterceptors(ServedSite.seen(RecordsSeen.getDefaultInstance()));
  }

  @Test
  void oneVmIsClaimedByHand() {
    HeartbeatResponse first = beatOfThisVersion(beat("a", running()));
    HeartbeatResponse second = beatOfThisVersion(beat("b"));
    refused(Code.NOT_FOUND, "reports no VM db", () -> served.cluster()
        .claimVm(ClaimVmRequest.newBuilder().setName("db").setHost("b").build()));
    Vm claimed = served.cluster().claimVm(ClaimVmRequest.newBuilder().setName("db").setHost("a").build());
    assertThat(claimed.getHost()).isEqualTo("a");
    assertThat(claimed.getEpoch()).isEqualTo(2);
    assertThat(site.history().isInTrouble()).isFalse();
  }

  @Test
  void theStateOutlivesTheCoordinator() throws IOException, InterruptedException {
    HeartbeatResponse unused = beatOfThisVersion(beat("a", running()));
    served.close();
    site = site.afterCoordinatorRestart();
    served = new ServedSite(site);
    assertThat(site.history().isInTrouble()).isTrue();
    refused(Code.FAILED_PRECONDITION, "records repair", () -> served.cluster()
        .stopVm(StopVmRequest.newBuilder().setName("db").build()));
  }

  @Test
  void recordsThatAreRightNeedNoRepair() {
    HeartbeatResponse unused = served.registry().heartbeat(beat("a"));
    assertThat(repair(true)).isEqualTo(RepairRecordsResponse.getDefaultInstance());
    assertThat(repair(false)).isEqualTo(RepairRecordsResponse.getDefaultInstance());
  }
}
