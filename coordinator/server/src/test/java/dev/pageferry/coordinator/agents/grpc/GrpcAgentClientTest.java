package dev.pageferry.coordinator.agents.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.AgentException.Kind;
import dev.pageferry.proto.agent.v1.CreateVmRequest;
import dev.pageferry.proto.agent.v1.GetVmRequest;
import dev.pageferry.proto.agent.v1.HostAgentGrpc;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.agent.v1.PrepareIncomingRequest;
import dev.pageferry.proto.agent.v1.PrepareIncomingResponse;
import dev.pageferry.proto.agent.v1.VerifyVmRequest;
import dev.pageferry.proto.agent.v1.VerifyVmUpdate;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.agent.v1.WatchOutgoingRequest;
import dev.pageferry.proto.registry.v1.RecordsStamp;
import io.grpc.Context;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.binder.grpc.MetricCollectingClientInterceptor;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
class GrpcAgentClientTest {
  private static final VmStatus VM = VmStatus.newBuilder().setId("v").setEpoch(1).build();

  private final List<String> told = new CopyOnWriteArrayList<>();
  private final Agent agent = new Agent();
  private final GrpcAgentClient client = new GrpcAgentClient(
      new AgentChannels(RecordsStamp::getDefaultInstance,
          new MetricCollectingClientInterceptor(new SimpleMeterRegistry()), Optional.empty(), each -> Optional.empty()),
      (address, status) -> told.add(address + " " + status.getId()));
  private Server server;
  private String address;

  /** An agent that builds slowly and never ends a stream by itself. */
  private static final class Agent extends HostAgentGrpc.HostAgentImplBase {
    private final CountDownLatch building = new CountDownLatch(1);
    private final CountDownLatch mayBuild = new CountDownLatch(1);
    private final CountDownLatch listenerGone = new CountDownLatch(1);
    private volatile Status refusal = Status.NOT_FOUND;

    @Override
    public void createVm(CreateVmRequest request, StreamObserver<VmStatus> observer) {
      building.countDown();
      try {
        assertThat(mayBuild.await(20, TimeUnit.SECONDS)).isTrue();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
      observer.onNext(VM);
      observer.onCompleted();
    }

    @Override
    public void getVm(GetVmRequest request, StreamObserver<VmStatus> observer) {
      observer.onError(refusal.asRuntimeException());
    }

    @Override
    public void prepareIncoming(PrepareIncomingRequest request, StreamObserver<PrepareIncomingResponse> observer) {
      observer.onNext(PrepareIncomingResponse.getDefaultInstance());
      observer.onCompleted();
    }

    @Override
    public void verifyVm(VerifyVmRequest request, StreamObserver<VerifyVmUpdate> observer) {
      ((ServerCallStreamObserver<VerifyVmUpdate>) observer).setOnCancelHandler(listenerGone::countDown);
      observer.onNext(VerifyVmUpdate.getDefaultInstance());
    }

    @Override
    public void watchOutgoing(WatchOutgoingRequest request, StreamObserver<OutgoingStatus> observer) {
      ((ServerCallStreamObserver<OutgoingStatus>) observer).setOnCancelHandler(listenerGone::countDown);
      observer.onNext(OutgoingStatus.getDefaultInstance());
    }
  }

  @BeforeEach
  void open() throws IOException {
    server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0)).addService(agent)
        .executor(Executors.newVirtualThreadPerTaskExecutor()).build().start();
    address = "127.0.0.1:" + server.getPort();
  }

  @AfterEach
  void close() {
    client.close();
    server.shutdownNow();
  }

  @ParameterizedTest
  @CsvSource({"NOT_FOUND,NOT_FOUND", "INVALID_ARGUMENT,INVALID", "ALREADY_EXISTS,EXISTS", "FAILED_PRECONDITION,REFUSED",
      "RESOURCE_EXHAUSTED,REFUSED", "ABORTED,REFUSED", "INTERNAL,FAILED", "UNKNOWN,FAILED", "UNAVAILABLE,UNREACHABLE",
      "DEADLINE_EXCEEDED,UNREACHABLE", "CANCELLED,UNREACHABLE"})
  void everyCodeOfAnAgentIsAKindOfNo(Status.Code code, Kind kind) {
    agent.refusal = code.toStatus().withDescription("because");
    AgentException refusal = catchThrowableOfType(AgentException.class, () -> client.getVm(address, "v"));
    assertThat(refusal.kind()).isEqualTo(kind);
    assertThat(refusal).hasMessage(kind == Kind.UNREACHABLE
        ? "its agent does not answer (%s)".formatted(code)
        : "because");
  }

  @Test
  void anAgentOfAnOlderVersionIsToBeUpgradedForWhatItDoesNotKnow() {
    AgentException refusal = catchThrowableOfType(AgentException.class,
        () -> client.resolveSpec(address, VmSpec.getDefaultInstance()));
    assertThat(refusal.kind()).isEqualTo(Kind.OLDER);
    assertThat(refusal).hasMessage("its agent is of an older version, which cannot do this; upgrade it");
  }

  @Test
  void anAgentThatIsNotThereIsUnreachableAndFoundAgainWhenItIsBack() throws Exception {
    int port = server.getPort();
    server.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
    assertThat(catchThrowableOfType(AgentException.class, () -> client.getVm(address, "v")).kind())
        .isEqualTo(Kind.UNREACHABLE);
    server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", port)).addService(agent).build().start();
    org.awaitility.Awaitility.await().until(() -> catchThrowableOfType(AgentException.class,
        () -> client.getVm(address, "v")).kind() == Kind.NOT_FOUND);
  }

  /** Or the agent would build a VM that no record knows, and that nobody destroys. */
  @Test
  void anAgentThatCameBackAtItsAddressIsNotRefusedForTheFailuresBefore() throws Exception {
    PrepareIncomingRequest request = PrepareIncomingRequest.getDefaultInstance();
    client.prepareIncoming(address, request);
    int port = server.getPort();
    server.shutdownNow().awaitTermination();
    for (int i = 0; i < 3; i++) {
      assertThatThrownBy(() -> client.prepareIncoming(address, request)).isInstanceOfSatisfying(AgentException.class,
          e -> assertThat(e.kind()).isEqualTo(Kind.UNREACHABLE));
    }

    server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", port)).addService(agent).build().start();
    client.prepareIncoming(address, request);
  }

  @Test
  void aVmIsBuiltToItsEndEvenIfTheOperatorWhoWantedItHangsUp() throws Exception {
    Context.CancellableContext operator = Context.current().withCancellation();
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<VmStatus> creation = executor
          .submit(operator.wrap(() -> client.createVm(address, CreateVmRequest.getDefaultInstance())));
      assertThat(agent.building.await(20, TimeUnit.SECONDS)).isTrue();
      operator.cancel(null);
      agent.mayBuild.countDown();
      assertThat(creation.get(20, TimeUnit.SECONDS)).isEqualTo(VM);
      assertThat(told).as("what the answer says is not to wait for a heartbeat").containsExactly(address + " v");
    }
  }

  @Test
  void aReplayEndsWithItsCaller() throws Exception {
    CountDownLatch heard = new CountDownLatch(1);
    Context.CancellableContext operator = Context.current().withCancellation();
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<?> replay = executor.submit(operator.wrap(() -> {
        client.verifyVm(address, "v", update -> heard.countDown());
        return true;
      }));
      assertThat(heard.await(20, TimeUnit.SECONDS)).isTrue();
      operator.cancel(null);
      assertThat(agent.listenerGone.await(20, TimeUnit.SECONDS)).isTrue();
      assertThatThrownBy(() -> replay.get(20, TimeUnit.SECONDS)).hasCauseInstanceOf(AgentException.class);
    }
  }

  @Test
  void aListenerThatFailsEndsTheStream() throws InterruptedException {
    assertThatThrownBy(() -> client.watchOutgoing(address, "m", status -> {
      throw new IllegalStateException("the disk is full");
    })).hasMessage("the disk is full");
    assertThat(agent.listenerGone.await(20, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void anInterruptEndsAWatch() throws Exception {
    CountDownLatch heard = new CountDownLatch(1);
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<?> watch = executor.submit(() -> {
        client.watchOutgoing(address, "m", status -> heard.countDown());
        return true;
      });
      assertThat(heard.await(20, TimeUnit.SECONDS)).isTrue();
      watch.cancel(true);
      assertThat(agent.listenerGone.await(20, TimeUnit.SECONDS)).isTrue();
    }
  }
}
