package dev.pageferry.agent.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.accept.SilentConnections;
import dev.pageferry.common.accept.Strangers;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.rpc.TestCalls;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TestMembers;
import dev.pageferry.common.tls.TlsContexts;
import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What connections may cost an agent, whoever makes them. */
@Timeout(120)
class AgentRpcTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final int TOO_MANY = 100;
  private static final ClientInterceptor NO_CLIENT_METER = MetadataUtils.newAttachHeadersInterceptor(new Metadata());
  private static final ServerInterceptor NO_METER = new ServerInterceptor() {
    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers,
        ServerCallHandler<Q, A> next) {
      return next.startCall(call, headers);
    }
  };

  @TempDir
  Path directory;
  private TestMembers members;
  private final List<ManagedChannel> channels = new ArrayList<>();

  @BeforeEach
  void certify() throws Exception {
    members = new TestMembers(directory, "north");
  }

  @AfterEach
  void close() {
    channels.forEach(ManagedChannel::shutdownNow);
  }

  private static AgentRpc rpc(Optional<Credentials> credentials) {
    return new AgentRpc(new HostPort("127.0.0.1", 1), new HostId("a"), new Incarnation("a-1"), credentials,
        NO_CLIENT_METER);
  }

  private ManagedChannel channel(int port, Optional<Credentials> member) {
    NettyChannelBuilder builder = NettyChannelBuilder.forAddress("127.0.0.1", port);
    member.ifPresentOrElse(it -> builder.sslContext(TlsContexts.grpcClient(it, PeerCheck.any(Role.HOST))),
        builder::usePlaintext);
    ManagedChannel channel = builder.build();
    channels.add(channel);
    return channel;
  }

  private void assertThatSilentConnectionsHarmNobody(AgentRpc rpc, Optional<Credentials> coordinator)
      throws Exception {
    int port = rpc.serve(new HostPort("127.0.0.1", 0), List.of(), NO_METER);
    Strangers strangers = rpc.strangers();
    ManagedChannel before = channel(port, coordinator);
    SocketAddress connection = TestCalls.ask(before);
    await().untilAsserted(() -> assertThat(strangers.count()).as("who has shown who it is counts no more").isZero());
    try (SilentConnections silent = new SilentConnections(port).open(strangers.max() + TOO_MANY)) {
      await().atMost(PATIENCE).untilAsserted(() -> assertThat(silent.closed()).startsWith(0, 1, 2)
          .hasSizeGreaterThanOrEqualTo(TOO_MANY));
      assertThat(strangers.count()).isLessThanOrEqualTo(strangers.max());
      TestCalls.ask(channel(port, coordinator));
      assertThat(TestCalls.ask(before)).as("the connection that was let in before is still there")
          .isEqualTo(connection);
    }
    await().atMost(PATIENCE).untilAsserted(() -> assertThat(strangers.count()).isZero());
  }

  @Test
  void connectionsThatShowNoCertificateDoNotKeepTheCoordinatorOut() throws Exception {
    try (AgentRpc rpc = rpc(Optional.of(members.of(Role.HOST, "a")))) {
      assertThatSilentConnectionsHarmNobody(rpc, Optional.of(members.of(Role.COORDINATOR, "c")));
    }
  }

  @Test
  void connectionsThatSayNothingDoNotKeepTheCoordinatorOutWhereThereAreNoCertificates() throws Exception {
    try (AgentRpc rpc = rpc(Optional.empty())) {
      assertThatSilentConnectionsHarmNobody(rpc, Optional.empty());
    }
  }
}
