package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.migration.destination.IncomingMigrations.State;
import dev.pageferry.agent.migration.source.SourceStatus;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TestMembers;
import io.netty.handler.ssl.OpenSsl;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Moves between hosts that know each other by certificates. */
@Timeout(120)
class SecuredMigrationTest {
  @TempDir
  Path directory;
  private TestCluster cluster;
  private TestMembers members;

  @BeforeEach
  void start() throws Exception {
    cluster = new TestCluster();
    members = new TestMembers(directory, "north");
  }

  @AfterEach
  void stop() throws Exception {
    cluster.close();
  }

  private TestHost host(String name) throws Exception {
    return host(name, members.of(Role.HOST, name));
  }

  private TestHost host(String name, Credentials credentials) throws Exception {
    return cluster.host(name, GuestDisks.NONE, new MigrationTls(Optional.of(credentials)));
  }

  private void assertRefused(TestHost source, TestHost destination, String named, String reason) throws Exception {
    VirtualMachine vm = source.boot(TestCluster.hotSet());
    TestCluster.Announced announced = cluster.announce(source, destination, vm.spec(),
        source.find(vm.spec().id()).orElseThrow().epoch().value());
    SourceStatus status = cluster.start(source, named, destination.address(), vm, TestCluster.options(1), announced)
        .await();
    assertThat(status.state()).isNotEqualTo(SourceStatus.State.COMPLETED);
    assertThat(status.failure().orElseThrow().toString()).contains(reason);
    assertThat(destination.incoming().state(announced.id())).as("nothing was admitted").isEqualTo(State.EXPECTED);
    assertThat(source.find(vm.spec().id())).as("the guest runs on").isPresent();
    TestCluster.awaitSteps(vm, 1000);
  }

  @Test
  void aGuestArrivesWholeOverEncryptedStreams() throws Exception {
    assertThat(OpenSsl.isAvailable()).as("BoringSSL, on %s", System.getProperty("os.arch"))
        .isEqualTo(System.getProperty("os.arch").equals("amd64"));
    TestHost a = host("a");
    TestHost b = host("b");
    VirtualMachine vm = a.boot(TestCluster.hotSet());
    VirtualMachine there = cluster.move(a, b, vm, TestCluster.patientOptions(3));
    cluster.move(b, a, there, TestCluster.patientOptions(1));
  }

  @Test
  void aSourceTellsItsTokenToNobodyButTheHostThatItWasSentTo() throws Exception {
    assertRefused(host("a"), host("b"), "c", "the peer is host b; host c was expected");
  }

  @Test
  void aHostOfAnotherClusterIsRefusedThoughItHasTheToken() throws Exception {
    assertRefused(host("a", members.ofCluster("south", Role.HOST, "a")), host("b"), "b", "");
  }

  @Test
  void anOperatorIsNoHost() throws Exception {
    assertRefused(host("a", members.of(Role.OPERATOR, "alice")), host("b"), "b", "");
  }

  @Test
  void aHostWithoutACertificateIsRefusedByOneThatHasOne() throws Exception {
    TestHost plain = cluster.host("a", GuestDisks.NONE);
    assertRefused(plain, host("b"), "b", "");
  }

  @Test
  void aHostWithACertificateTalksToNobodyWithoutOne() throws Exception {
    assertRefused(host("a"), cluster.host("b", GuestDisks.NONE), "b", "");
  }

  @Test
  void manyConnectionsThatSayNothingLockNobodyOut() throws Exception {
    TestHost a = host("a");
    TestHost b = host("b");
    List<Socket> silent = new ArrayList<>();
    try {
      for (int i = 0; i < b.server().strangers().max() + 50; i++) {
        silent.add(new Socket(InetAddress.getLoopbackAddress(), b.address().port()));
      }
      await().atMost(TestCluster.PATIENCE).until(() -> b.server().strangers().count() == b.server().strangers().max());
      VirtualMachine vm = a.boot(TestCluster.hotSet());
      cluster.move(a, b, vm, TestCluster.patientOptions(4));
    } finally {
      for (Socket each : silent) {
        each.close();
      }
    }
  }
}
