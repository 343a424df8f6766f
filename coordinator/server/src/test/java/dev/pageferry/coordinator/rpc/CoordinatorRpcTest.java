package dev.pageferry.coordinator.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.accept.SilentConnections;
import dev.pageferry.common.accept.Strangers;
import dev.pageferry.common.rpc.TestCalls;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TestMembers;
import dev.pageferry.common.tls.TlsContexts;
import dev.pageferry.coordinator.fakes.FakeSite;
import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What connections may cost the coordinator, whoever makes them. */
@Timeout(120)
class CoordinatorRpcTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final int TOO_MANY = 100;

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

  private void assertThatSilentConnectionsHarmNobody(ServedSite served, Optional<Credentials> alice,
      Optional<Credentials> bob) throws Exception {
    Strangers strangers = served.rpc().strangers();
    ManagedChannel before = channel(served, alice);
    SocketAddress connection = TestCalls.ask(before);
    await().untilAsserted(() -> assertThat(strangers.count()).as("who has shown who it is counts no more").isZero());
    try (SilentConnections silent = new SilentConnections(served.port()).open(strangers.max() + TOO_MANY)) {
      await().atMost(PATIENCE).untilAsserted(() -> assertThat(silent.closed()).startsWith(0, 1, 2)
          .hasSizeGreaterThanOrEqualTo(TOO_MANY));
      assertThat(strangers.count()).isLessThanOrEqualTo(strangers.max());
      TestCalls.ask(channel(served, bob));
      assertThat(TestCalls.ask(before)).as("the connection that was let in before is still there")
          .isEqualTo(connection);
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
}
