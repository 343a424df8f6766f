package dev.pageferry.coordinator.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.accept.SilentConnections;
import dev.pageferry.common.accept.Strangers;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TestMembers;
import dev.pageferry.common.tls.TlsContexts;
import dev.pageferry.coordinator.fakes.FakeSite;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What connections may cost the coordinator, whoever makes them. */
@Timeout(120)
class CoordinatorRpcTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final int TOO_MANY = 100;
  private static final int MAX_CALLS = 1000;

  @TempDir
  Path directory;
  private final List<ManagedChannel> channels = new ArrayList<>();

  @AfterEach
  void close() {
    channels.forEach(ManagedChannel::shutdownNow);
  }

  private ManagedChannel channel(ServedSite served, Optional<Credentials> member) {
    NettyChannelBuilder builder = NettyChannelBuilder.forAddress("127.0.0.1", served.port());
    member.ifPresentOrElse(
        it -> builder.sslContext(TlsContexts.grpcClient(it, PeerCheck.any(Role.COORDINATOR))), builder::usePlaintext);
    ManagedChannel channel = builder.build();
    channels.add(channel);
    return channel;
  }

  /** Asks, and gives this end of the connection on which the answer came. */
  private static SocketAddress ask(ManagedChannel channel) throws Exception {
    CompletableFuture<SocketAddress> answered = new CompletableFuture<>();
    ClientCall<HealthCheckRequest, HealthCheckResponse> call = channel.newCall(HealthGrpc.getCheckMethod(),
        CallOptions.DEFAULT);
    call.start(new ClientCall.Listener<>() {
      @Override
      public void onMessage(HealthCheckResponse response) {
        answered.complete(call.getAttributes().get(Grpc.TRANSPORT_ATTR_LOCAL_ADDR));
      }

      @Override
      public void onClose(Status status, Metadata trailers) {
        answered.completeExceptionally(new IllegalStateException(status.toString()));
      }
    }, new Metadata());
    call.request(1);
    call.sendMessage(HealthCheckRequest.getDefaultInstance());
    call.halfClose();
    return answered.get(30, TimeUnit.SECONDS);
  }

  private void assertThatSilentConnectionsHarmNobody(ServedSite served, Optional<Credentials> alice,
      Optional<Credentials> bob) throws Exception {
    Strangers strangers = served.rpc().strangers();
    ManagedChannel before = channel(served, alice);
    SocketAddress connection = ask(before);
    await().untilAsserted(() -> assertThat(strangers.count()).as("who has shown who it is counts no more").isZero());
    try (SilentConnections silent = new SilentConnections(served.port()).open(strangers.max() + TOO_MANY)) {
      await().atMost(PATIENCE).untilAsserted(() -> assertThat(silent.closed()).startsWith(0, 1, 2)
          .hasSizeGreaterThanOrEqualTo(TOO_MANY));
      assertThat(strangers.count()).isLessThanOrEqualTo(strangers.max());
      ask(channel(served, bob));
      assertThat(ask(before)).as("the connection that was let in before is still there").isEqualTo(connection);
    }
    await().atMost(PATIENCE).untilAsserted(() -> assertThat(strangers.count()).isZero());
  }

  @Test
  void connectionsThatShowNoCertificateLockNoMemberOut() throws Exception {
    TestMembers members = new TestMembers(directory.resolve("pki"), "north");
    try (ServedSite served = new ServedSite(new FakeSite(directory), Optional.of(members.of(Role.COORDINATOR, "c")))) {
      assertThatSilentConnectionsHarmNobody(served, Optional.of(members.of(Role.OPERATOR, "alice")),
          Optional.of(members.of(Role.OPERATOR, "bob")));
    }
  }

  @Test
  void connectionsThatSayNothingLockNobodyOutWhereThereAreNoCertificates() throws Exception {
    try (ServedSite served = new ServedSite(directory)) {
      assertThatSilentConnectionsHarmNobody(served, Optional.empty(), Optional.empty());
    }
  }

  @Test
  void callsBeyondAThousandOnOneConnectionWaitForTheOthers() throws Exception {
    try (ServedSite served = new ServedSite(directory)) {
      ManagedChannel channel = channel(served, Optional.empty());
      // So that the client knows what the server permits.
      ask(channel);
      AtomicInteger answered = new AtomicInteger();
      List<ClientCall<ServerReflectionRequest, ServerReflectionResponse>> streams = new ArrayList<>();
      for (int i = 0; i < MAX_CALLS + 1; i++) {
        streams.add(stream(channel, answered));
      }
      await().atMost(PATIENCE).until(() -> answered.get() == MAX_CALLS);
      ask(channel(served, Optional.empty()));
      assertThat(answered.get()).isEqualTo(MAX_CALLS);
      streams.getFirst().halfClose();
      await().atMost(PATIENCE).until(() -> answered.get() == MAX_CALLS + 1);
    }
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
