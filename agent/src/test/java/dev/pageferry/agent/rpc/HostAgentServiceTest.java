package dev.pageferry.agent.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.builtin.Booted;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.hosting.VmCreation;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.OutgoingMigrations;
import dev.pageferry.agent.migration.source.SourceMigration;
import dev.pageferry.agent.ownership.OwnershipClient.Decision;
import dev.pageferry.agent.ownership.OwnershipClient.Outcome;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.ScriptedRow;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.agent.v1.CreateVmRequest;
import dev.pageferry.proto.agent.v1.DestroyVmRequest;
import dev.pageferry.proto.agent.v1.HostAgentGrpc;
import dev.pageferry.proto.agent.v1.PrepareIncomingRequest;
import dev.pageferry.proto.agent.v1.RestoreVmRequest;
import dev.pageferry.proto.agent.v1.SaveVmRequest;
import dev.pageferry.proto.agent.v1.StartOutgoingRequest;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Executors;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the coordinator may ask of a host while something is being done with a VM, or while the agent ends. */
@Timeout(60)
class HostAgentServiceTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final long BYTES = 4L << 20;
  private static final VmId V = new VmId("v");
  private static final OwnershipEpoch EPOCH = new OwnershipEpoch(3);

  private final HostMemory memory = new HostMemory(4 * BYTES);
  private final HostedGuests guests = new HostedGuests();
  private final GuestClaims claims = new GuestClaims();
  private final ScriptedRow row = new ScriptedRow();
  private HostAgentService service;
  private Server server;
  private ManagedChannel channel;

  @BeforeEach
  void serve() throws Exception {
    OwnershipDialogue.Line line = new OwnershipDialogue.Line(row, Scheduler.SYSTEM, new Random(1));
    Failpoints failpoints = new Failpoints(Optional.empty());
    VmFactory factory = new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM);
    SourceMigration.Environment departures = new SourceMigration.Environment(
        (migration, host, destination, deadline) -> {
          throw new IllegalStateException("nothing migrates here");
        }, line, GuestDisks.NONE, Optional.empty(), guests, (migration, vm) -> MigrationLog.SILENT, failpoints);
    IncomingMigrations incoming = new IncomingMigrations(factory, GuestDisks.NONE, Optional.empty(), line, () -> {
    }, guests::adopt, (migration, vm) -> MigrationLog.SILENT, failpoints);
    service = new HostAgentService(new Incarnation("first"), guests, new VmCreation(factory, guests, claims, line,
        () -> {
        }, failpoints), factory, departures, new OutgoingMigrations(departures, claims, status -> {
        }), incoming, claims, Optional.empty(), Optional.empty());
    server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
        .executor(Executors.newVirtualThreadPerTaskExecutor()).addService(service).build().start();
    channel = NettyChannelBuilder.forAddress("127.0.0.1", server.getPort()).usePlaintext().build();
  }

  @AfterEach
  void close() {
    channel.shutdownNow();
    server.shutdownNow();
    guests.close();
  }

  private HostAgentGrpc.HostAgentBlockingStub stub() {
    return HostAgentGrpc.newBlockingStub(channel);
  }

  private static VmSpec spec() {
    return VmSpec.diskless(V, "db", BYTES, 1, new ProgramSpec("uniform", Map.of(), BYTES, 1));
  }

  private static CreateVmRequest creation() {
    return CreateVmRequest.newBuilder().setSpec(spec().toMessage()).setEpoch(EPOCH.value()).build();
  }

  /** Creates the VM in the background; the promise is how that ended. */
  private Promise<Status> create() {
    Promise<Status> end = Scheduler.SYSTEM.newPromise();
    var unused = Scheduler.SYSTEM.start("create", () -> {
      try {
        var created = stub().createVm(creation());
        end.complete(Status.OK.withDescription(created.getId()));
      } catch (StatusRuntimeException e) {
        end.complete(e.getStatus());
      }
    });
    return end;
  }

  private void destroy() {
    var unused = stub().destroyVm(DestroyVmRequest.newBuilder().setId(V.value()).setEpoch(EPOCH.value()).build());
  }

  private static void assertRefused(Status.Code code, String why, ThrowingCallable request) {
    assertThatExceptionOfType(StatusRuntimeException.class).isThrownBy(request).satisfies(refusal -> {
      assertThat(refusal.getStatus().getCode()).isEqualTo(code);
      assertThat(refusal.getStatus().getDescription()).contains(why);
    });
  }

  @Test
  void aVmThatIsBeingCreatedIsDestroyedByOrderAtOnce() throws Exception {
    Promise<Status> end = create();
    await().until(() -> row.startedCalls() > 0);
    destroy();
    assertThat(guests.find(V)).isEmpty();
    assertRefused(Status.Code.FAILED_PRECONDITION, "being created", () -> stub().createVm(creation()));

    row.started(new Decision(Outcome.ABORTED, "", 3));
    assertThat(end.await(PATIENCE)).hasValueSatisfying(
        status -> assertThat(status.getDescription()).contains("built too late"));
    assertThat(claims.isTaken(V)).isFalse();
  }

  @Test
  void aCreationThatTheRecordsDoNotKnowEndsByTheOrderToDestroyIt() throws Exception {
    row.started(new Decision(Outcome.UNKNOWN, "", 0));
    Promise<Status> end = create();
    await().until(() -> row.startedCalls() > 1);
    destroy();

    assertThat(end.await(PATIENCE)).hasValueSatisfying(
        status -> assertThat(status.getDescription()).contains("ORDERED"));
    assertThat(claims.isTaken(V)).isFalse();
    await().until(() -> memory.freeBytes() == 4 * BYTES);
  }

  @Test
  void aVmThatIsBeingSavedOrMovedIsNotDestroyed() throws Exception {
    guests.adopt(Booted.vm(new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM), spec(), 3), EPOCH);
    try (GuestClaims.Claim claim = claims.take(V, "being saved")) {
      assertRefused(Status.Code.FAILED_PRECONDITION, "being saved", this::destroy);
    }
    destroy();
    assertThat(guests.find(V)).isEmpty();
  }

  @Test
  void aVmThatIsBeingRestoredAndIsNotHereYetIsNotSaidToBeGone() {
    try (GuestClaims.Claim claim = claims.takeToBuild(V, "being restored")) {
      assertRefused(Status.Code.FAILED_PRECONDITION, "try again", this::destroy);
    }
    assertRefused(Status.Code.NOT_FOUND, "not on this host", this::destroy);
  }

  @Test
  void aSaveThatCannotBeReadLeavesTheVmUnclaimed() throws Exception {
    guests.adopt(Booted.vm(new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM), spec(), 3), EPOCH);
    SaveVmRequest save = SaveVmRequest.newBuilder().setVmId(V.value()).setEpoch(EPOCH.value()).build();
    assertRefused(Status.Code.INVALID_ARGUMENT, "codec",
        () -> stub().saveVm(save.toBuilder().setOperationId("s").setCodecValue(99).build()).hasNext());
    assertRefused(Status.Code.INVALID_ARGUMENT, "", () -> stub().saveVm(save).hasNext());
    assertThat(claims.isTaken(V)).isFalse();
  }

  @Test
  void anAgentThatEndsBeginsNothingAndStillDestroys() throws Exception {
    guests.adopt(Booted.vm(new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM), spec(), 3), EPOCH);
    service.refuseMore();
    String why = "shutting down";
    assertRefused(Status.Code.UNAVAILABLE, why, () -> stub().createVm(creation()));
    assertRefused(Status.Code.UNAVAILABLE, why,
        () -> stub().saveVm(SaveVmRequest.newBuilder().setVmId(V.value()).build()).hasNext());
    assertRefused(Status.Code.UNAVAILABLE, why,
        () -> stub().restoreVm(RestoreVmRequest.newBuilder().setSpec(spec().toMessage()).build()).hasNext());
    assertRefused(Status.Code.UNAVAILABLE, why,
        () -> stub().startOutgoing(StartOutgoingRequest.newBuilder().setVmId(V.value()).build()));
    assertRefused(Status.Code.UNAVAILABLE, why,
        () -> stub().prepareIncoming(PrepareIncomingRequest.getDefaultInstance()));
    destroy();
    assertThat(guests.find(V)).isEmpty();
  }
}
