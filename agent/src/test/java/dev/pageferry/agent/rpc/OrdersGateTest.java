package dev.pageferry.agent.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.proto.agent.v1.GetIncomingRequest;
import dev.pageferry.proto.agent.v1.GetIncomingResponse;
import dev.pageferry.proto.agent.v1.HostAgentGrpc;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.RecordsSeen;
import dev.pageferry.proto.registry.v1.RecordsStamp;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.util.Objects;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A host tells the coordinator what it has seen of its records, and takes orders from the coordinator that it asks. */
@Timeout(60)
class OrdersGateTest {
  private static final Metadata.Key<RecordsSeen> SEEN = Metadata.Key.of("pageferry-records-seen-bin",
      ProtoUtils.metadataMarshaller(RecordsSeen.getDefaultInstance()));

  private final RecordsMemory memory = new RecordsMemory(new HostId("a"), new Incarnation("a-1"));
  private final AtomicReference<RecordsStamp> stamp = new AtomicReference<>(stamp("first", 5));
  private final AtomicReference<RecordsSeen> told = new AtomicReference<>();
  private Server server;
  private ManagedChannel channel;

  private static RecordsStamp stamp(String start, long revision) {
    return RecordsStamp.newBuilder().setLineage("L").setStartId(start).setRevision(revision).build();
  }

  /** What the coordinator does with every call. */
  private final ServerInterceptor coordinator = new ServerInterceptor() {
    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers,
        ServerCallHandler<Q, A> next) {
      told.set(Objects.requireNonNullElse(headers.get(SEEN), RecordsSeen.getDefaultInstance()));
      return next.startCall(new SimpleForwardingServerCall<>(call) {
        @Override
        public void close(Status status, Metadata trailers) {
          trailers.put(RecordsMemory.STAMP, stamp.get());
          super.close(status, trailers);
        }
      }, headers);
    }
  };

  @BeforeEach
  void serve() throws Exception {
    server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
        .executor(Executors.newVirtualThreadPerTaskExecutor())
        .addService(io.grpc.ServerInterceptors.intercept(new HostRegistryGrpc.HostRegistryImplBase() {
          @Override
          public void heartbeat(HeartbeatRequest request, StreamObserver<HeartbeatResponse> observer) {
            observer.onNext(HeartbeatResponse.getDefaultInstance());
            observer.onCompleted();
          }
        }, coordinator))
        .addService(io.grpc.ServerInterceptors.intercept(new HostAgentGrpc.HostAgentImplBase() {
          @Override
          public void getIncoming(GetIncomingRequest request, StreamObserver<GetIncomingResponse> observer) {
            observer.onNext(GetIncomingResponse.getDefaultInstance());
            observer.onCompleted();
          }
        }, new OrdersGate(memory))).build().start();
    channel = NettyChannelBuilder.forAddress("127.0.0.1", server.getPort()).usePlaintext().build();
  }

  @AfterEach
  void close() {
    channel.shutdownNow();
    server.shutdownNow();
  }

  private RecordsSeen beat() {
    HeartbeatResponse unused = HostRegistryGrpc.newBlockingStub(channel).withInterceptors(memory)
        .heartbeat(HeartbeatRequest.getDefaultInstance());
    return told.get();
  }

  private GetIncomingResponse order(RecordsStamp from) {
    Metadata headers = new Metadata();
    headers.put(RecordsMemory.STAMP, from);
    return HostAgentGrpc.newBlockingStub(channel).withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
        .getIncoming(GetIncomingRequest.getDefaultInstance());
  }

  @Test
  void aHostTellsTheNewestThatItHasSeenOfEachStart() {
    assertThat(beat().getStampsList()).as("nothing was heard before").isEmpty();
    assertThat(beat().getStampsList()).containsExactly(stamp("first", 5));
    stamp.set(stamp("first", 3));
    RecordsSeen unused = beat();
    assertThat(beat().getStampsList()).as("an answer that was overtaken").containsExactly(stamp("first", 5));
    stamp.set(stamp("second", 9));
    unused = beat();
    assertThat(beat().getStampsList()).containsExactly(stamp("first", 5), stamp("second", 9));
    assertThat(told.get().getHostId()).isEqualTo("a");
  }

  @Test
  void whatAHostTellsIsBounded() {
    for (int i = 0; i < 20; i++) {
      stamp.set(stamp("start-" + i, i));
      RecordsSeen unused = beat();
    }
    assertThat(beat().getStampsList()).hasSize(8).last().isEqualTo(stamp("start-19", 19));
  }

  @Test
  void anOrderFromTheCoordinatorThatAnsweredThisHostIsObeyed() {
    RecordsSeen unused = beat();
    assertThat(order(stamp("first", 6))).isNotNull();
  }

  @Test
  void anOrderOfACoordinatorThatThisHostNeverAskedIsRefused() {
    RecordsSeen unused = beat();
    assertThatThrownBy(() -> order(stamp("on-a-copy", 6))).hasMessageContaining("FAILED_PRECONDITION")
        .hasMessageContaining("has not heard of this coordinator");
  }

  @Test
  void anOrderOfACoordinatorWhosePlaceAnotherHasTakenIsRefused() {
    RecordsSeen unused = beat();
    stamp.set(stamp("second", 9));
    unused = beat();
    assertThatThrownBy(() -> order(stamp("first", 6))).hasMessageContaining("FAILED_PRECONDITION");
    assertThat(order(stamp("second", 9))).isNotNull();
  }

  @Test
  void anOrderWithoutAStampComesFromTheVersionBefore() {
    assertThat(HostAgentGrpc.newBlockingStub(channel).getIncoming(GetIncomingRequest.getDefaultInstance())).isNotNull();
  }
}
