package dev.pageferry.agent.transport;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.proto.migration.v1.LinkCounted;
import dev.pageferry.proto.migration.v1.LinkProbe;
import dev.pageferry.proto.migration.v1.LinkProbeWelcome;
import dev.pageferry.proto.migration.v1.Refusal;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.epoll.EpollTcpInfo;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** Measures the link to another host's migration port, on a connection like those of a migration: TLS, congestion control, path. */
public final class LinkMeter {
  private static final Duration LONGEST = Duration.ofSeconds(15);
  private static final int CHUNK_BYTES = 128 << 10;
  private static final int CHUNKS_A_TURN = 16;
  private static final long GRACE_MILLIS = 500;

  private final EventLoops loops;
  private final CongestionControl congestionControl;
  private final MigrationTls tls;
  private final Scheduler scheduler;

  public LinkMeter(EventLoops loops, CongestionControl congestionControl, MigrationTls tls, Scheduler scheduler) {
    this.loops = loops;
    this.congestionControl = congestionControl;
    this.tls = tls;
    this.scheduler = scheduler;
  }

  /**
   * What was measured.
   *
   * @param bytes that the destination received after its first read; if nothing followed that, those of the first read
   * @param seconds from the first read to the last
   * @param roundTripSeconds of packets on the connection before anything else was sent on it; 0: not known
   * @param pathMtu the largest packet that the path takes, as the kernel knows it, in bytes; 0: not known
   */
  public record Measure(long bytes, double seconds, double roundTripSeconds, int pathMtu) {
  }

  /**
   * Sends until the destination reports its count. The destination stops counting at the bounds; this side stops by itself at twice the
   * bytes, or at twice the time and half a second.
   *
   * @throws IOException with the reason if nothing could be measured
   */
  public Measure measure(HostId destination, HostPort address, byte[] token, LinkPasses.Bounds bounds)
      throws IOException, InterruptedException {
    Promise<Measure> measured = scheduler.newPromise();
    ChannelFuture connecting = new Bootstrap().group(loops.data()).channel(EventLoops.socketChannel())
        .option(ChannelOption.TCP_NODELAY, true)
        .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, StreamConnector.CONNECT_TIMEOUT_MILLIS)
        .handler(new ChannelInitializer<Channel>() {
          @Override
          protected void initChannel(Channel channel) {
            congestionControl.applyTo(channel);
            ControlCodec codec = new ControlCodec(new LongAdder(), new LongAdder());
            channel.pipeline().addLast(codec).addLast(new Sender(codec, token, bounds, measured));
            tls.secureTo(channel, destination);
          }
        }).connect(new InetSocketAddress(address.host(), address.port()));
    connecting.addListener(connected -> {
      if (!connected.isSuccess()) {
        measured.fail(connected.cause());
      }
    });
    try {
      return measured.await(LONGEST).orElseThrow(() -> measured.failure()
          .map(it -> new IOException("no link to %s: %s".formatted(address, IoFailure.sentence(it)), it))
          .orElseGet(() -> new IOException("no link to %s: no answer for %d s".formatted(address,
              LONGEST.toSeconds()))));
    } finally {
      connecting.channel().close();
    }
  }

  /** Shows the token, then sends as fast as the connection takes it. */
  private static final class Sender extends SimpleChannelInboundHandler<MessageLite> {
    private final ControlCodec codec;
    private final byte[] token;
    private final LinkPasses.Bounds bounds;
    private final Promise<Measure> measured;
    private final ByteBuf chunk = Unpooled.directBuffer(CHUNK_BYTES).writeZero(CHUNK_BYTES);
    private @Nullable ChannelHandlerContext raw;
    private double roundTripSeconds;
    private int pathMtu;
    private long leftBytes;

    Sender(ControlCodec codec, byte[] token, LinkPasses.Bounds bounds, Promise<Measure> measured) {
      this.codec = codec;
      this.token = token;
      this.bounds = bounds;
      this.measured = measured;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
      context.writeAndFlush(LinkProbe.newBuilder().setToken(ByteString.copyFrom(token)).build());
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, MessageLite message) {
      switch (message) {
        case LinkProbeWelcome _ -> {
          look(context.channel());
          raw = context.pipeline().context(codec);
          leftBytes = 2 * bounds.bytes();
          context.executor().schedule(this::sendNoMore, 2 * bounds.time().toMillis() + GRACE_MILLIS,
              TimeUnit.MILLISECONDS);
          send(context.channel());
        }
        case LinkCounted counted ->
          measured.complete(new Measure(counted.getBytes(), counted.getSeconds(), roundTripSeconds, pathMtu));
        case Refusal refusal -> measured.fail(new IOException(refusal.getMessage()));
        default -> measured.fail(new IOException("answered by " + message.getClass().getSimpleName()));
      }
    }

    private void look(Channel channel) {
      if (channel instanceof EpollSocketChannel epoll) {
        EpollTcpInfo info = epoll.tcpInfo();
        roundTripSeconds = info.rtt() / 1e6;
        pathMtu = Math.toIntExact(info.pmtu());
      }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
      send(context.channel());
    }

    private void send(Channel channel) {
      ChannelHandlerContext before = raw;
      for (int i = 0; i < CHUNKS_A_TURN && before != null && mayWrite(channel); i++) {
        before.write(chunk.retainedDuplicate(), channel.voidPromise());
        before.flush();
        leftBytes -= CHUNK_BYTES;
      }
      if (before != null && mayWrite(channel)) {
        // The socket takes it as fast as it comes: others of this loop have their turns too.
        channel.eventLoop().execute(() -> send(channel));
      }
    }

    private boolean mayWrite(Channel channel) {
      return leftBytes > 0 && channel.isWritable() && !measured.isSettled();
    }

    /** A destination that does not say that it has had enough gets no more all the same. */
    private void sendNoMore() {
      leftBytes = 0;
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      measured.fail(new IOException("the connection was closed"));
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
      raw = null;
      chunk.release();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      measured.fail(MigrationTls.reason(cause));
      context.close();
    }
  }
}
