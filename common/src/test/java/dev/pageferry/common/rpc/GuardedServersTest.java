package dev.pageferry.common.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.accept.GuardedPort;
import dev.pageferry.common.accept.Strangers;
import dev.pageferry.common.config.HostPort;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What calls may cost a server. */
@Timeout(120)
class GuardedServersTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final GuardedPort port = GuardedPort.withSelectors("test", new Strangers("test", 8));
  private final List<ManagedChannel> channels = new ArrayList<>();
  private Server server;

  @BeforeEach
  void serve() throws Exception {
    server = GuardedServers.listeningOn(new HostPort("127.0.0.1", 0), port)
        .executor(Executors.newVirtualThreadPerTaskExecutor()).addService(new HealthStatusManager().getHealthService())
        .addService(ProtoReflectionServiceV1.newInstance()).build().start();
  }

  @AfterEach
  void close() {
    channels.forEach(ManagedChannel::shutdownNow);
    server.shutdownNow();
    port.close();
  }

  private ManagedChannel channel() {
    ManagedChannel channel = NettyChannelBuilder.forAddress("127.0.0.1", server.getPort()).usePlaintext().build();
    channels.add(channel);
    return channel;
  }

  @Test
  void callsBeyondTheLimitOfOneConnectionWaitForTheOthers() throws Exception {
    ManagedChannel channel = channel();
    // So that the client knows what the server permits.
    TestCalls.ask(channel);
    AtomicInteger answered = new AtomicInteger();
    List<ClientCall<ServerReflectionRequest, ServerReflectionResponse>> streams = new ArrayList<>();
    for (int i = 0; i < GuardedServers.MAX_CALLS + 1; i++) {
      streams.add(stream(channel, answered));
    }
    await().atMost(PATIENCE).until(() -> answered.get() == GuardedServers.MAX_CALLS);
    TestCalls.ask(channel());
    assertThat(answered.get()).isEqualTo(GuardedServers.MAX_CALLS);
    streams.getFirst().halfClose();
    await().atMost(PATIENCE).until(() -> answered.get() == GuardedServers.MAX_CALLS + 1);
  }

  /** Begins a stream, which is answered once and goes on. */
  private static ClientCall<ServerReflectionRequest, ServerReflectionResponse> stream(ManagedChannel channel,
      AtomicInteger answered) {
    ClientCall<ServerReflectionRequest, ServerReflectionResponse> call = channel
        .newCall(ServerReflectionGrpc.getServerReflectionInfoMethod(), CallOptions.DEFAULT);
    call.start(new ClientCall.Listener<>() {
      @Override
      public void onMessage(ServerReflectionResponse response) {
        answered.incrementAndGet();
      }
    }, new Metadata());
    call.request(1);
    call.sendMessage(ServerReflectionRequest.newBuilder().setListServices("").build());
    return call;
  }
}
