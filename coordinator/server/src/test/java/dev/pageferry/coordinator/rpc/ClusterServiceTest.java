package dev.pageferry.coordinator.rpc;

import static dev.pageferry.coordinator.rpc.ServedSite.refused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.fakes.Reports;
import dev.pageferry.proto.cluster.v1.CancelMigrationRequest;
import dev.pageferry.proto.cluster.v1.ConfirmHostDeadRequest;
import dev.pageferry.proto.cluster.v1.ConfirmHostDeadResponse;
import dev.pageferry.proto.cluster.v1.DeleteVmRequest;
import dev.pageferry.proto.cluster.v1.DigestVmRequest;
import dev.pageferry.proto.cluster.v1.GetHostRequest;
import dev.pageferry.proto.cluster.v1.GetMigrationRequest;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.ListHostsRequest;
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import dev.pageferry.proto.cluster.v1.ListMigrationsRequest;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.PauseVmRequest;
import dev.pageferry.proto.cluster.v1.ResumeVmRequest;
import dev.pageferry.proto.cluster.v1.StartVmRequest;
import dev.pageferry.proto.cluster.v1.StopVmRequest;
import dev.pageferry.proto.cluster.v1.VerifyVmRequest;
import dev.pageferry.proto.cluster.v1.VerifyVmUpdate;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.WatchMigrationRequest;
import io.grpc.Status.Code;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.reflection.v1.ServiceResponse;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ClusterServiceTest extends ServedSiteFixture {
  @Test
  void theServerAndEachServiceSayThatTheyServe() {
    HealthGrpc.HealthBlockingStub health = HealthGrpc.newBlockingStub(served.channel());
    for (String service : List.of("", "pageferry.cluster.v1.Cluster", "pageferry.registry.v1.HostRegistry",
        "pageferry.registry.v1.Ownership")) {
      assertThat(health.check(HealthCheckRequest.newBuilder().setService(service).build()).getStatus())
          .isEqualTo(ServingStatus.SERVING);
    }
  }

  @Test
  void aServerWhoseRecordsCannotBeWrittenDoesNotServe() throws Exception {
    served.site().store().close();
    // What was found at the start holds for some seconds.
    await().atMost(Duration.ofSeconds(20)).until(() -> HealthGrpc.newBlockingStub(served.channel())
        .check(HealthCheckRequest.getDefaultInstance()).getStatus() == ServingStatus.NOT_SERVING);
  }

  @Test
  void reflectionListsTheServices() throws Exception {
    CompletableFuture<ServerReflectionResponse> answer = new CompletableFuture<>();
    StreamObserver<ServerReflectionRequest> question = ServerReflectionGrpc.newStub(served.channel())
        .serverReflectionInfo(new StreamObserver<>() {
          @Override
          public void onNext(ServerReflectionResponse response) {
            answer.complete(response);
          }

          @Override
          public void onError(Throwable error) {
            answer.completeExceptionally(error);
          }

          @Override
          public void onCompleted() {
          }
        });
    question.onNext(ServerReflectionRequest.newBuilder().setListServices("*").build());
    assertThat(answer.get(20, TimeUnit.SECONDS).getListServicesResponse().getServiceList())
        .extracting(ServiceResponse::getName).contains("pageferry.cluster.v1.Cluster",
            "pageferry.registry.v1.HostRegistry", "pageferry.registry.v1.Ownership", "grpc.health.v1.Health");
    question.onCompleted();
  }

  @Test
  void hostsAreListedAsTheyAreKnown() {
    served.site().timeOutAllBut("a");
    assertThat(served.cluster().listHosts(ListHostsRequest.getDefaultInstance()).getHostsList())
        .extracting(Host::getId, Host::getState)
        .containsExactly(org.assertj.core.groups.Tuple.tuple("a", Host.State.UP),
            org.assertj.core.groups.Tuple.tuple("b", Host.State.DOWN));
    ListHostsResponse page = served.cluster().listHosts(ListHostsRequest.newBuilder().setPageSize(1).build());
    assertThat(page.getHostsList()).extracting(Host::getId).containsExactly("a");
    assertThat(served.cluster().listHosts(ListHostsRequest.newBuilder().setPageToken(page.getNextPageToken()).build())
        .getHostsList()).extracting(Host::getId).containsExactly("b");
    Host a = served.cluster().getHost(GetHostRequest.newBuilder().setId("a").build());
    assertThat(a.getAddress()).isEqualTo(FakeSite.address("a"));
    assertThat(a.getMemoryFreeBytes()).isEqualTo(1024 * FakeSite.MIB);
    assertThat(a.getVersion()).isEqualTo("test");
    refused(Code.NOT_FOUND, "host z is not known",
        () -> served.cluster().getHost(GetHostRequest.newBuilder().setId("z").build()));
    refused(Code.INVALID_ARGUMENT, "HostId",
        () -> served.cluster().getHost(GetHostRequest.newBuilder().setId("no host").build()));
  }

  @Test
  void aVmLivesThroughAllThatOperatorsDoWithIt() {
    Vm created = served.cluster().createVm(FakeSite.request("db", "a"));
    served.site().heartbeat("a");
    assertThat(created.getState()).isEqualTo(Vm.State.RUNNING);
    assertThat(served.cluster().pauseVm(PauseVmRequest.newBuilder().setName("db").build()).getState())
        .isEqualTo(Vm.State.PAUSED);
    assertThat(served.cluster().resumeVm(ResumeVmRequest.newBuilder().setName("db").build()).getState())
        .isEqualTo(Vm.State.RUNNING);
    assertThat(served.cluster().digestVm(DigestVmRequest.newBuilder().setName("db").build()).getHost()).isEqualTo("a");
    assertThat(served.cluster().stopVm(StopVmRequest.newBuilder().setName("db").build()).getState())
        .isEqualTo(Vm.State.STOPPED);
    assertThat(served.cluster().startVm(StartVmRequest.newBuilder().setName("db").build()).getEpoch()).isEqualTo(2);
    assertThat(served.cluster().listVms(ListVmsRequest.getDefaultInstance()).getVmsList()).extracting(Vm::getName)
        .containsExactly("db");
    assertThat(served.cluster().deleteVm(DeleteVmRequest.newBuilder().setName("db").setForce(true).build()))
        .isNotNull();
    refused(Code.NOT_FOUND, "VM db does not exist",
        () -> served.cluster().getVm(GetVmRequest.newBuilder().setName("db").build()));
  }

  @Test
  void whatIsKnownOfASilentHostIsSaidBeforeAnybodyCallsItDead() {
    served.cluster().createVm(FakeSite.request("web", "a"));
    served.site().heartbeat("a");
    ConfirmHostDeadRequest look = ConfirmHostDeadRequest.newBuilder().setId("a").build();
    ConfirmHostDeadRequest word = look.toBuilder().setConfirmed(true).build();
    refused(Code.FAILED_PRECONDITION, "only a host that is DOWN", () -> served.cluster().confirmHostDead(word));

    served.site().timeOutAllBut("b");
    for (int i = 0; i < 2; i++) {
      ConfirmHostDeadResponse known = served.cluster().confirmHostDead(look);
      assertThat(known.getConfirmed()).isFalse();
      assertThat(known.getHost().getState()).isEqualTo(Host.State.DOWN);
      assertThat(known.getIncarnation()).isEqualTo(served.site().incarnation("a").value());
      assertThat(known.getSilentSeconds()).isEqualTo(FakeSite.HOST_TIMEOUT.toSeconds());
      assertThat(known.getConsequencesList()).singleElement().asString()
          .contains("VM web", "epoch 1", "last reported RUNNING", "two copies could run");
    }
    refused(Code.FAILED_PRECONDITION, "has a newer incarnation", () -> served.cluster()
        .confirmHostDead(word.toBuilder().setIncarnation("the-one-that-was-shown").build()));
    ConfirmHostDeadRequest shown = word.toBuilder().setIncarnation(served.site().incarnation("a").value()).build();
    assertThat(served.cluster().confirmHostDead(shown).getConfirmed()).isTrue();
    assertThat(served.cluster().confirmHostDead(word).getConfirmed()).isTrue();
    refused(Code.NOT_FOUND, "host z is not known",
        () -> served.cluster().confirmHostDead(ConfirmHostDeadRequest.newBuilder().setId("z").build()));
  }

  @Test
  void theVmsOfAHostThatIsConfirmedDeadAreDownAndStartElsewhere() {
    served.cluster().createVm(FakeSite.request("web", "a"));
    served.site().timeOutAllBut("b");
    refused(Code.FAILED_PRECONDITION, "may still run on host a",
        () -> served.cluster().startVm(StartVmRequest.newBuilder().setName("web").setHost("b").build()));
    served.cluster().confirmHostDead(ConfirmHostDeadRequest.newBuilder().setId("a").setConfirmed(true).build());

    Vm failed = served.cluster().getVm(GetVmRequest.newBuilder().setName("web").build());
    assertThat(failed.getState()).isEqualTo(Vm.State.FAILED);
    assertThat(failed.getReason()).contains("confirmed dead");
    Vm started = served.cluster().startVm(StartVmRequest.newBuilder().setName("web").setHost("b").build());
    assertThat(started.getHost()).isEqualTo("b");
    assertThat(started.getEpoch()).isEqualTo(2);
  }

  @Test
  void everyKindOfRefusalHasItsCode() {
    served.cluster().createVm(FakeSite.request("db", "a"));
    refused(Code.ALREADY_EXISTS, "VM db exists already", () -> served.cluster().createVm(FakeSite.request("db", "a")));
    refused(Code.NOT_FOUND, "host z", () -> served.cluster().createVm(FakeSite.request("web", "z")));
    refused(Code.INVALID_ARGUMENT, "VM name", () -> served.cluster().createVm(FakeSite.request("a b", "a")));
    refused(Code.FAILED_PRECONDITION, "free for guests", () -> served.cluster().createVm(FakeSite.request("web", "a")
        .toBuilder().setMemoryBytes(4096 * FakeSite.MIB).build()));
    refused(Code.FAILED_PRECONDITION, "only a stopped or failed VM",
        () -> served.cluster().startVm(StartVmRequest.newBuilder().setName("db").build()));
    refused(Code.INVALID_ARGUMENT, "--streams", () -> served.cluster()
        .migrateLive(MigrateLiveRequest.newBuilder().setName("db").setTo("b").setStreams(99).build()));
    refused(Code.FAILED_PRECONDITION, "is on host a already", () -> served.cluster()
        .migrateLive(MigrateLiveRequest.newBuilder().setName("db").setTo("a").build()));
    refused(Code.NOT_FOUND, "see 'ferry migration list'",
        () -> served.cluster().getMigration(GetMigrationRequest.newBuilder().setId("zz").build()));
    refused(Code.NOT_FOUND, "see 'ferry migration list'",
        () -> served.cluster().cancelMigration(CancelMigrationRequest.newBuilder().setId("zz").build()));
    refused(Code.NOT_FOUND, "see 'ferry migration list'",
        () -> served.cluster().watchMigration(WatchMigrationRequest.newBuilder().setId("zz").build()).hasNext());
    refused(Code.NOT_FOUND, "VM x does not exist",
        () -> served.cluster().verifyVm(VerifyVmRequest.newBuilder().setName("x").build()).hasNext());
  }

  @Test
  void recordsThatFailAreAnInternalErrorAndNotAnAbsentCoordinator() {
    served.site().store().close();
    refused(Code.INTERNAL, "records cannot be read",
        () -> served.cluster().listVms(ListVmsRequest.getDefaultInstance()));
  }

  @Test
  void verificationStreamsItsProgressAndEndsWithItsResult() {
    served.cluster().createVm(FakeSite.request("db", "a"));
    List<VerifyVmUpdate> updates = new ArrayList<>();
    served.cluster().verifyVm(VerifyVmRequest.newBuilder().setName("db").build()).forEachRemaining(updates::add);
    assertThat(updates).hasSize(2);
    assertThat(updates.getLast().getResult().getHost()).isEqualTo("a");
  }

  @Test
  void aWatchTellsOfEveryChangeAndEndsWithTheFinalOne() {
    Migration accepted = migrating();
    Iterator<Migration> watch = served.cluster()
        .watchMigration(WatchMigrationRequest.newBuilder().setId(accepted.getId()).build());
    assertThat(watch.next().getState()).isEqualTo(Migration.State.RUNNING);
    served.site().agent("a").say(Reports.inDoubt());
    assertThat(watch.next().getState()).isEqualTo(Migration.State.IN_DOUBT);
    served.site().agent("a").say(Reports.completed());
    assertThat(watch.next().getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(watch.hasNext()).isFalse();

    Iterator<Migration> late = served.cluster()
        .watchMigration(WatchMigrationRequest.newBuilder().setId(accepted.getId().substring(0, 8)).build());
    assertThat(late.next().getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(late.hasNext()).isFalse();
    assertThat(served.cluster().listMigrations(ListMigrationsRequest.getDefaultInstance()).getMigrationsList())
        .extracting(Migration::getId).containsExactly(accepted.getId());
  }

  @Test
  void aWatcherThatHangsUpDoesNotDisturbTheMigration() {
    Migration accepted = migrating();
    io.grpc.Context.CancellableContext caller = io.grpc.Context.current().withCancellation();
    caller.run(() -> assertThat(served.cluster()
        .watchMigration(WatchMigrationRequest.newBuilder().setId(accepted.getId()).build()).next().getState())
        .isEqualTo(Migration.State.RUNNING));
    caller.cancel(null);
    served.site().agent("a").say(Reports.inDoubt());
    served.site().agent("a").say(Reports.completed());
    await().until(() -> served.cluster().getMigration(GetMigrationRequest.newBuilder().setId(accepted.getId()).build())
        .getState() == Migration.State.COMPLETED);
  }

  private Migration migrating() {
    served.cluster().createVm(FakeSite.request("db", "a"));
    served.site().heartbeat("a");
    return served.cluster().migrateLive(MigrateLiveRequest.newBuilder().setName("db").setTo("b").build());
  }
}
