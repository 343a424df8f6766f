package dev.pageferry.coordinator.rpc;

import static dev.pageferry.coordinator.rpc.ServedSite.refused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.fakes.FakeAgent;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.ownership.OwnershipEvent;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.ClusterGrpc.ClusterBlockingStub;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.DeleteDiskRequest;
import dev.pageferry.proto.cluster.v1.DeleteVmRequest;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.RestoreVmRequest;
import dev.pageferry.proto.cluster.v1.RestoreVmUpdate;
import dev.pageferry.proto.cluster.v1.StartVmRequest;
import dev.pageferry.proto.cluster.v1.StopVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.VmRecord;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status.Code;
import io.grpc.stub.MetadataUtils;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests that are repeated under their id, with a real server and real records. */
@Timeout(60)
class RequestInterceptorTest extends ServedSiteFixture {
  private static final CreateVmRequest CREATE = FakeSite.request("db", "a").toBuilder().putProgramArgs("rate", "1MB/s")
      .putProgramArgs("seed", "7").build();

  private ClusterBlockingStub under(String id) {
    Metadata headers = new Metadata();
    headers.put(RequestInterceptor.REQUEST_ID, id);
    return served.cluster().withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  private long builds() {
    return served.site().agent("a").count("createVm");
  }

  private static StopVmRequest stop() {
    return StopVmRequest.newBuilder().setName("db").build();
  }

  private static StartVmRequest start() {
    return StartVmRequest.newBuilder().setName("db").build();
  }

  private static DeleteVmRequest delete() {
    return DeleteVmRequest.newBuilder().setName("db").setForce(true).build();
  }

  /** Something unforeseen happens in the next call of the method, as if the coordinator died there. */
  private void breakDownAt(String method) {
    served.site().agent("a").when(method, () -> {
      served.site().agent("a").when(method, () -> {
      });
      throw new IllegalStateException("unforeseen");
    });
  }

  @Test
  void aRequestThatIsRepeatedIsDoneOnceAndAnsweredTheSame() {
    Vm first = under("r-1").createVm(CREATE);
    assertThat(under("r-1").createVm(CREATE)).isEqualTo(first);
    assertThat(builds()).isEqualTo(1);
  }

  @Test
  void aRefusalIsRepeatedToo() {
    refused(Code.NOT_FOUND, "VM db does not exist", () -> under("r-1").stopVm(stop()));
    served.cluster().createVm(CREATE);
    refused(Code.NOT_FOUND, "VM db does not exist", () -> under("r-1").stopVm(stop()));
    assertThat(under("r-2").stopVm(stop()).getState()).isEqualTo(Vm.State.STOPPED);
  }

  @Test
  void theIdOfAnotherRequestIsRefused() {
    under("r-1").createVm(CREATE);
    refused(Code.INVALID_ARGUMENT, "request id r-1 belongs to another request",
        () -> under("r-1").createVm(CREATE.toBuilder().setVcpus(2).build()));
    refused(Code.INVALID_ARGUMENT, "request id r-1 belongs to another request", () -> under("r-1").stopVm(stop()));
    refused(Code.INVALID_ARGUMENT, "1 to 200 characters", () -> under("r".repeat(201)).stopVm(stop()));
    assertThat(under("r-1").createVm(CREATE.toBuilder().clearProgramArgs().putProgramArgs("seed", "7")
        .putProgramArgs("rate", "1MB/s").build()).getName()).as("the order of arguments is no other content")
        .isEqualTo("db");
  }

  @Test
  void whoRepeatsARequestThatIsUnderWayWaitsForItsOutcome() throws Exception {
    CountDownLatch building = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    served.site().agent("a").when("createVm", () -> {
      building.countDown();
      awaitLatch(goOn);
    });
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<Vm> first = executor.submit(() -> under("r-1").createVm(CREATE));
      building.await();
      Future<Vm> second = executor.submit(() -> under("r-1").createVm(CREATE));
      refused(Code.INVALID_ARGUMENT, "belongs to another request", () -> under("r-1").stopVm(stop()));
      assertThat(second.isDone()).isFalse();
      goOn.countDown();
      assertThat(second.get()).isEqualTo(first.get());
    }
    assertThat(builds()).isEqualTo(1);
  }

  @Test
  void aRequestWhoseCallerIsGoneGoesOnToItsEnd() {
    CountDownLatch building = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    served.site().agent("a").when("createVm", () -> {
      building.countDown();
      awaitLatch(goOn);
    });
    Context.CancellableContext caller = Context.current().withCancellation();
    Thread calling = Thread.ofVirtual()
        .start(caller.wrap(() -> refused(Code.CANCELLED, "", () -> under("r-1").createVm(CREATE))));
    awaitLatch(building);
    caller.cancel(null);
    await().until(() -> !calling.isAlive());
    goOn.countDown();
    assertThat(under("r-1").createVm(CREATE).getState()).isEqualTo(Vm.State.RUNNING);
    assertThat(builds()).isEqualTo(1);
  }

  private static void awaitLatch(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void outcomesOutliveTheCoordinator() throws Exception {
    Vm first = under("r-1").createVm(CREATE);
    refused(Code.FAILED_PRECONDITION, "only a stopped", () -> under("r-2").startVm(start()));
    served = served.afterCoordinatorRestart();
    assertThat(under("r-1").createVm(CREATE)).isEqualTo(first);
    refused(Code.FAILED_PRECONDITION, "only a stopped", () -> under("r-2").startVm(start()));
    assertThat(builds()).isEqualTo(1);
  }

  @Test
  void aVmWhoseCreationBrokeIsFinishedByTheRepeatedRequest() throws Exception {
    CreateVmRequest paused = CREATE.toBuilder().setPaused(true).build();
    breakDownAt("createVm");
    refused(Code.UNKNOWN, "unforeseen", () -> under("r-1").createVm(paused));
    VmRecord row = served.site().row("db");
    assertThat(row.getPhase()).isEqualTo(VmRecord.Phase.CREATING);
    served = served.afterCoordinatorRestart();
    served.site().heartbeat("a", "b");

    Vm created = under("r-1").createVm(paused);

    assertThat(created.getId()).isEqualTo(row.getSpec().getId());
    assertThat(created.getState()).isEqualTo(Vm.State.PAUSED);
    assertThat(under("r-1").createVm(paused)).isEqualTo(created);
    refused(Code.ALREADY_EXISTS, "exists already", () -> under("r-2").createVm(paused));
  }

  @Test
  void aChangeThatRowsFrozeInTheMiddleOfIsNotCalledRefused() {
    served.cluster().createVm(CREATE);
    served.site().agent("a").when("destroyVm", this::provesThatRecordsAreOld);
    refused(Code.UNKNOWN, "went back in time", () -> under("r-1").deleteVm(delete()));
    refused(Code.FAILED_PRECONDITION, "went back in time", () -> under("r-2").stopVm(stop()));
  }

  private void provesThatRecordsAreOld() {
    try {
      served.site().history().suspect("host b has seen more");
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aStartThatIsRepeatedWithTheSameOptionsIsTheSameWhicheverMethodItCallsThen() {
    StartVmRequest forced = start().toBuilder().setForceDisks(true).build();
    assertThat(ChangingMethods.content("StartVm", forced).hash())
        .isEqualTo(ChangingMethods.content("RestoreVm", RestoreVmRequest.newBuilder().setName("db").build()).hash());
  }

  @Test
  void aCreationThatItsHostIsStillAtIsWaitedForByTheRepeatedRequest() throws Exception {
    breakDownAt("createVm");
    refused(Code.UNKNOWN, "unforeseen", () -> under("r-1").createVm(CREATE));
    served = served.afterCoordinatorRestart();
    served.site().heartbeat("a", "b");
    String id = served.site().vmId("db").value();
    FakeAgent a = served.site().agent("a");
    a.host(VmStatus.newBuilder().setId(id).setEpoch(1).setState(VmStatus.State.PAUSED).build());
    // It asks for the first step while its building is looked at.
    a.when("getVm", () -> served.site().ledger().started(new VmId(id), new OwnershipEvent.Started(new HostId("a"),
        served.site().incarnation("a"), new OwnershipEpoch(1))));
    long before = builds();
    assertThat(under("r-1").createVm(CREATE).getId()).isEqualTo(id);
    assertThat(builds()).as("nothing is built a second time").isEqualTo(before);
    assertThat(a.count("destroyVm")).isZero();
  }

  @Test
  void aStopThatIsRepeatedDoesNotStopWhatWasStartedSince() throws Exception {
    served.cluster().createVm(CREATE);
    served.site().agent("a").refuse("destroyVm", AgentException.Kind.UNREACHABLE, "no answer");
    refused(Code.UNKNOWN, "is stopped in the records", () -> under("r-1").stopVm(stop()));
    served.site().agent("a").accept("destroyVm");
    served.cluster().startVm(start());
    served.site().heartbeat("a");
    refused(Code.FAILED_PRECONDITION, "was started or moved since", () -> under("r-1").stopVm(stop()));
    assertThat(served.cluster().getVm(GetVmRequest.newBuilder().setName("db").build()).getState())
        .isEqualTo(Vm.State.RUNNING);
  }

  @Test
  void aVmThatWasMadeAndThenDeletedIsNotMadeAgain() {
    breakDownAt("createVm");
    refused(Code.UNKNOWN, "unforeseen", () -> under("r-1").createVm(CREATE));
    served.cluster().deleteVm(delete());
    refused(Code.FAILED_PRECONDITION, "is not there any more", () -> under("r-1").createVm(CREATE));
    served.cluster().createVm(CREATE);
    refused(Code.FAILED_PRECONDITION, "is not there any more", () -> under("r-1").createVm(CREATE));
  }

  @Test
  void aDeletionThatBrokeIsDoneAndTouchesNoOtherVmThatHasTheNameNow() {
    served.cluster().createVm(CREATE);
    breakDownAt("discardSavedStates");
    refused(Code.UNKNOWN, "unforeseen", () -> under("r-1").deleteVm(delete()));
    Vm other = served.cluster().createVm(CREATE);
    assertThat(under("r-1").deleteVm(delete())).isNotNull();
    assertThat(served.cluster().getVm(GetVmRequest.newBuilder().setName("db").build()).getId())
        .isEqualTo(other.getId());
  }

  @Test
  void aStopThatBrokeDoesNotStopAnotherVmThatHasTheNameNow() {
    served.cluster().createVm(CREATE);
    breakDownAt("destroyVm");
    refused(Code.UNKNOWN, "unforeseen", () -> under("r-1").stopVm(stop()));
    served.cluster().deleteVm(delete());
    served.cluster().createVm(CREATE);
    refused(Code.FAILED_PRECONDITION, "the name of another one now", () -> under("r-1").stopVm(stop()));
    assertThat(served.site().row("db").getPhase()).isEqualTo(VmRecord.Phase.ACTIVE);
  }

  @Test
  void aStartThatBrokeAndWasDoneIsNotRefusedForThat() {
    served.cluster().createVm(CREATE);
    served.cluster().stopVm(stop());
    breakDownAt("createVm");
    refused(Code.UNKNOWN, "unforeseen", () -> under("r-1").startVm(start()));
    served.cluster().startVm(start());
    served.site().heartbeat("a");
    assertThat(under("r-1").startVm(start()).getState()).isEqualTo(Vm.State.RUNNING);
    assertThat(served.site().row("db").getEpoch()).isEqualTo(3);
  }

  @Test
  void aDiskIsNeitherMadeNorDeletedOnAGuess() {
    CreateDiskRequest create = CreateDiskRequest.newBuilder().setName("data").setSizeBytes(1 << 20).build();
    DeleteDiskRequest delete = DeleteDiskRequest.newBuilder().setName("data").build();
    breakDownAt("createDisk");
    refused(Code.UNKNOWN, "unforeseen", () -> under("r-1").createDisk(create));
    assertThat(under("r-1").createDisk(create).getName()).isEqualTo("data");
    breakDownAt("deleteDisk");
    refused(Code.UNKNOWN, "unforeseen", () -> under("r-2").deleteDisk(delete));
    refused(Code.FAILED_PRECONDITION, "there is a disk of that name", () -> under("r-2").deleteDisk(delete));
    served.cluster().deleteDisk(delete);
    assertThat(under("r-2").deleteDisk(delete)).isNotNull();
  }

  @Test
  void aStartThatRestoredTheVmIsAnsweredThoughItRunsByNow() {
    served.cluster().createVm(CREATE);
    VmRecord row = served.site().row("db");
    served.site().agent("a").when("saveVm", () -> decidePending());
    served.cluster().saveVm(dev.pageferry.proto.cluster.v1.SaveVmRequest.newBuilder().setName("db").build())
        .forEachRemaining(update -> {
        });
    served.site().agent("a").when("restoreVm", () -> decidePending());
    List<RestoreVmUpdate> updates = new ArrayList<>();
    Iterator<RestoreVmUpdate> restoring = under("r-1").restoreVm(RestoreVmRequest.newBuilder().setName("db").build());
    restoring.forEachRemaining(updates::add);

    Vm again = under("r-1").startVm(start());

    assertThat(again).isEqualTo(updates.getLast().getVm());
    assertThat(again.getId()).isEqualTo(row.getSpec().getId());
    Iterator<RestoreVmUpdate> repeated = under("r-1").restoreVm(RestoreVmRequest.newBuilder().setName("db").build());
    assertThat(repeated.next()).isEqualTo(updates.getLast());
    assertThat(repeated.hasNext()).isFalse();
  }

  /** The agent asks for the commit. */
  private void decidePending() {
    served.site().ledger().commit(served.site().vmId("db"), new dev.pageferry.common.identity.MigrationId(
        served.site().row("db").getPending().getMigrationId()), (host, incarnation) -> true);
  }

  @Test
  void aMigrationIsFoundByTheIdInItsRequestOrInTheMetadata() {
    served.cluster().createVm(CREATE);
    served.site().heartbeat("a");
    MigrateLiveRequest request = MigrateLiveRequest.newBuilder().setName("db").setTo("b").build();
    String id = under("r-1").migrateLive(request).getId();
    assertThat(under("r-1").migrateLive(request).getId()).isEqualTo(id);
    assertThat(served.site().ledger().migrations()).hasSize(1).allMatch(each -> each.getRequestId().equals("r-1"));
    refused(Code.INVALID_ARGUMENT, "belongs to another request", () -> served.cluster()
        .migrateLive(request.toBuilder().setTo("a").setRequestId("r-1").build()));
  }

  @Test
  void recordsThatCannotBeWrittenLeaveNothingDone() {
    served.cluster().createVm(CREATE);
    served.site().store().close();
    refused(Code.INTERNAL, "records cannot be written", () -> under("r-1").stopVm(stop()));
    assertThat(served.site().agent("a").count("destroyVm")).isZero();
  }

  @Test
  void anAgentThatCannotBeAskedIsNoDoubt() {
    served.cluster().createVm(CREATE);
    served.site().agent("a").refuse("pauseVm", AgentException.Kind.REFUSED, "not now");
    refused(Code.FAILED_PRECONDITION, "not now", () -> under("r-1")
        .pauseVm(dev.pageferry.proto.cluster.v1.PauseVmRequest.newBuilder().setName("db").build()));
  }
}
