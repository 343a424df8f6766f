package dev.pageferry.common.accept;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPromise;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A port where whoever says a byte has shown who it is, and gets it back. */
@Timeout(60)
class GuardedPortTest {
  private static final int MAX = 20;
  /** How many Netty accepts before it looks whether it still may. */
  private static final int TURN = 16;

  private final Strangers strangers = new Strangers("test", MAX);
  private final GuardedPort port = GuardedPort.withSelectors("test", strangers);
  private final AtomicInteger accepted = new AtomicInteger();
  /** Until then event loops stand still with the first connection that they serve. */
  private final CountDownLatch serves = new CountDownLatch(1);
  private int number;

  private final class Echo extends ChannelDuplexHandler {
    @Override
    public void channelRead(ChannelHandlerContext context, Object bytes) {
      port.introduced(context.channel().remoteAddress());
      context.writeAndFlush(bytes);
    }

    @Override
    public void close(ChannelHandlerContext context, ChannelPromise closed) {
      // As gRPC, which would first take leave.
    }
  }

  @BeforeEach
  void listen() throws Exception {
    Channel listener = new ServerBootstrap().group(port.accepting(), port.serving()).channelFactory(port.listener())
        .handler(new ChannelInboundHandlerAdapter() {
          @Override
          public void channelRead(ChannelHandlerContext context, Object connection) {
            accepted.incrementAndGet();
            context.fireChannelRead(connection);
          }
        }).childHandler(new ChannelInitializer<>() {
          @Override
          protected void initChannel(Channel channel) throws InterruptedException {
            serves.await();
            channel.pipeline().addLast(new Echo());
          }
        }).bind(InetAddress.getLoopbackAddress(), 0).sync().channel();
    number = ((InetSocketAddress) listener.localAddress()).getPort();
  }

  @AfterEach
  void close() {
    serves.countDown();
    port.close();
  }

  private static void assertAnswers(Socket member) throws IOException {
    member.getOutputStream().write(7);
    assertThat(member.getInputStream().read()).isEqualTo(7);
  }

  @Test
  void theOldestConnectionsThatSayNothingAreClosedAndTheNewestStay() throws Exception {
    serves.countDown();
    try (SilentConnections silent = new SilentConnections(number).open(MAX + 30)) {
      await().untilAsserted(() -> assertThat(silent.closed())
          .containsExactlyElementsOf(IntStream.range(0, 30).boxed().toList()));
      assertThat(strangers.count()).isEqualTo(MAX);
    }
    await().untilAsserted(() -> assertThat(strangers.count()).as("who hangs up is forgotten").isZero());
  }

  @Test
  void whoeverWasLetInStaysHoweverManyStrangersCome() throws Exception {
    serves.countDown();
    try (Socket member = new Socket(InetAddress.getLoopbackAddress(), number);
        SilentConnections silent = new SilentConnections(number)) {
      assertAnswers(member);
      silent.open(10 * MAX);
      await().untilAsserted(() -> assertThat(silent.closed()).hasSize(9 * MAX));
      assertAnswers(member);
      try (Socket another = new Socket(InetAddress.getLoopbackAddress(), number)) {
        assertAnswers(another);
      }
    }
  }

  @Test
  void noMoreAreAcceptedThanCanBeClosed() throws Exception {
    int all = 10 * MAX;
    try (SilentConnections silent = new SilentConnections(number).open(all)) {
      await().until(() -> accepted.get() >= 2 * MAX);
      assertThat(accepted.get()).isLessThanOrEqualTo(2 * MAX + TURN);
      serves.countDown();
      await().untilAsserted(() -> assertThat(silent.closed()).hasSize(all - MAX));
      assertThat(accepted.get()).isEqualTo(all);
    }
  }
}
