package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TestMembers;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Links that are measured on the migration port. */
@Timeout(60)
class LinkMeterTest {
  private static final HostId A = new HostId("host-a");
  private static final HostId B = new HostId("host-b");
  private static final byte[] TOKEN = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
  private static final Duration VALID = Duration.ofSeconds(20);
  private static final LinkPasses.Bounds BOUNDS = new LinkPasses.Bounds(8 << 20, Duration.ofSeconds(2));

  @TempDir
  Path directory;
  private final EventLoops loops = new EventLoops(2);
  private final AtomicLong nanos = new AtomicLong();
  private final LinkPasses links = new LinkPasses(() -> Ticker.SYSTEM.nanos() + nanos.get());
  private TestMembers members;
  private MigrationServer server;

  @BeforeEach
  void listen() throws Exception {
    members = new TestMembers(directory, "north");
    server = MigrationServer.listen(loops, new HostPort("127.0.0.1", 0), MigrationTls.NONE, (hello, link) -> {
      throw new AssertionError("no migration comes");
    }, links);
  }

  @AfterEach
  void close() throws Exception {
    server.close();
    loops.close();
  }

  private void listenSecured() throws Exception {
    server.close();
    server = MigrationServer.listen(loops, new HostPort("127.0.0.1", 0),
        new MigrationTls(Optional.of(members.of(Role.HOST, "host-b"))), (hello, link) -> {
          throw new AssertionError("no migration comes");
        }, links);
  }

  private LinkMeter.Measure measure(MigrationTls tls) throws Exception {
    return new LinkMeter(loops, new CongestionControl(CongestionControl.DEFAULT), tls, Scheduler.SYSTEM).measure(B,
        new HostPort("127.0.0.1", server.port()), TOKEN, BOUNDS);
  }

  @Test
  void aLinkIsMeasuredUpToTheBytesThatWereGranted() throws Exception {
    links.expect(A, TOKEN, VALID, BOUNDS);
    LinkMeter.Measure measure = measure(MigrationTls.NONE);
    assertThat(measure.bytes()).isBetween(BOUNDS.bytes(), BOUNDS.bytes() + (4 << 20));
    assertThat(measure.seconds()).isPositive();
  }

  @Test
  void aLinkIsMeasuredForTheTimeThatWasGranted() throws Exception {
    links.expect(A, TOKEN, VALID, new LinkPasses.Bounds(1 << 30, Duration.ofMillis(50)));
    LinkMeter.Measure measure = measure(MigrationTls.NONE);
    assertThat(measure.bytes()).isPositive().isLessThan(1 << 30);
  }

  @Test
  void aTokenIsOfUseOnce() throws Exception {
    links.expect(A, TOKEN, VALID, BOUNDS);
    measure(MigrationTls.NONE);
    assertThatThrownBy(() -> measure(MigrationTls.NONE)).isInstanceOf(IOException.class)
        .hasMessageContaining("no measure of the link is expected with this token");
  }

  @Test
  void aTokenIsOfNoUseAfterItsTime() {
    links.expect(A, TOKEN, VALID, BOUNDS);
    nanos.set(VALID.toNanos());
    assertThatThrownBy(() -> measure(MigrationTls.NONE)).hasMessageContaining("no measure of the link is expected");
  }

  @Test
  void overTlsOnlyTheHostThatWasToComeMayMeasure() throws Exception {
    listenSecured();
    links.expect(A, TOKEN, VALID, BOUNDS);
    assertThatThrownBy(() -> measure(new MigrationTls(Optional.of(members.of(Role.HOST, "host-c")))))
        .hasMessageContaining("no measure of the link is expected");
    links.expect(A, TOKEN, VALID, BOUNDS);
    assertThat(measure(new MigrationTls(Optional.of(members.of(Role.HOST, "host-a")))).bytes()).isPositive();
  }

  @Test
  void bytesGoToNobodyButTheHostThatWasNamed() throws Exception {
    listenSecured();
    MigrationServer impostor = MigrationServer.listen(loops, new HostPort("127.0.0.1", 0),
        new MigrationTls(Optional.of(members.of(Role.HOST, "host-c"))), (hello, link) -> {
        }, links);
    server.close();
    server = impostor;
    links.expect(A, TOKEN, VALID, BOUNDS);
    assertThatThrownBy(() -> measure(new MigrationTls(Optional.of(members.of(Role.HOST, "host-a")))))
        .hasMessageContaining("the peer is host host-c; host host-b was expected");
  }

  @Test
  void aPortThatNobodyListensOnIsNamed() throws Exception {
    server.close();
    assertThatThrownBy(() -> measure(MigrationTls.NONE)).isInstanceOf(IOException.class)
        .hasMessageContaining("no link to 127.0.0.1:" + server.port());
  }

  @Test
  void aPeerThatHangsUpIsTold() throws Exception {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      Thread.ofVirtual().start(() -> {
        try (Socket peer = socket.accept()) {
          assertThat(peer.getInputStream().read()).isNotNegative();
        } catch (IOException e) {
          throw new AssertionError(e);
        }
      });
      LinkMeter meter = new LinkMeter(loops, new CongestionControl(CongestionControl.DEFAULT), MigrationTls.NONE,
          Scheduler.SYSTEM);
      assertThatThrownBy(() -> meter.measure(B, new HostPort("127.0.0.1", socket.getLocalPort()), TOKEN, BOUNDS))
          .isInstanceOf(IOException.class).hasMessageStartingWith("no link to ");
    }
  }

  @Test
  void whatCanBeGuessedOrIsWithoutBoundIsRefused() {
    assertThatThrownBy(() -> links.expect(A, new byte[3], VALID, BOUNDS)).hasMessageContaining("3 bytes");
    assertThatThrownBy(() -> new LinkPasses.Bounds(0, VALID)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new LinkPasses.Bounds(2L << 30, Duration.ofMillis(1))).hasMessageContaining("2147483648");
    assertThatThrownBy(() -> new LinkPasses.Bounds(1, Duration.ofMinutes(1))).hasMessageContaining("60000 ms");
  }
}
