package dev.pageferry.agent.transport;

import com.google.protobuf.MessageLite;
import dev.pageferry.proto.migration.v1.StreamHello;
import dev.pageferry.proto.migration.v1.StreamWelcome;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.SimpleChannelInboundHandler;
import java.net.SocketAddress;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;

/** Opens data streams: connects, proves itself, and becomes a {@link DataStreamSender} once welcome. */
final class StreamConnector {
  static final int CONNECT_TIMEOUT_MILLIS = 5000;

  private final EventLoops loops;
  private final CongestionControl congestionControl;
  private final Consumer<Channel> securing;

  /** @param securing puts what encrypts in front of a channel's handlers */
  StreamConnector(EventLoops loops, CongestionControl congestionControl, Consumer<Channel> securing) {
    this.securing = securing;
    this.loops = loops;
    this.congestionControl = congestionControl;
  }

  /** An open data stream. */
  record Stream(DataStreamSender sender, AutoCloseable socket) {
  }

  CompletableFuture<Stream> open(SocketAddress destination, StreamHello hello, LongAdder bytesSent,
      LongAdder dataBytesWritten,
      Consumer<Throwable> onBroken) {
    CompletableFuture<Stream> opened = new CompletableFuture<>();
    ControlCodec codec = new ControlCodec(bytesSent, new LongAdder());
    ChannelFuture connecting = new Bootstrap().group(loops.data()).channel(EventLoops.socketChannel())
        .option(ChannelOption.TCP_NODELAY, true)
        .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_TIMEOUT_MILLIS)
        .handler(new ChannelInitializer<Channel>() {
          @Override
          protected void initChannel(Channel channel) {
            congestionControl.applyTo(channel);
            channel.pipeline().addLast(codec)
                .addLast(new Greeting(hello, codec, bytesSent, dataBytesWritten, onBroken, opened));
            securing.accept(channel);
          }
        }).connect(destination).addListener(connected -> {
          if (!connected.isSuccess()) {
            opened.completeExceptionally(connected.cause());
          }
        });
    // However opening fails, and whoever gives it up, the socket does not stay behind.
    opened.exceptionally(failure -> {
      connecting.channel().close();
      return null;
    });
    return opened;
  }

  /** Waits for the welcome, then makes room for the sender. */
  private static final class Greeting extends SimpleChannelInboundHandler<MessageLite> {
    private final StreamHello hello;
    private final ControlCodec codec;
    private final LongAdder bytesSent;
    private final LongAdder dataBytesWritten;
    private final Consumer<Throwable> onBroken;
    private final CompletableFuture<Stream> opened;

    Greeting(StreamHello hello, ControlCodec codec, LongAdder bytesSent, LongAdder dataBytesWritten,
        Consumer<Throwable> onBroken,
        CompletableFuture<Stream> opened) {
      this.hello = hello;
      this.codec = codec;
      this.bytesSent = bytesSent;
      this.dataBytesWritten = dataBytesWritten;
      this.onBroken = onBroken;
      this.opened = opened;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
      context.writeAndFlush(hello);
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, MessageLite message) {
      if (!(message instanceof StreamWelcome welcome) || welcome.getStream() != hello.getStream()) {
        opened.completeExceptionally(
            new IllegalStateException("answered by %s".formatted(message.getClass().getSimpleName())));
        context.close();
        return;
      }
      Channel channel = context.channel();
      DataStreamSender sender = new DataStreamSender(channel, codec.sequenceOut(), bytesSent, dataBytesWritten,
          onBroken);
      channel.pipeline().replace(this, "sender", sender);
      if (!opened.complete(new Stream(sender, channel::close))) {
        channel.close();
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      opened.completeExceptionally(new ClosedChannelException());
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      opened.completeExceptionally(cause);
      context.close();
    }
  }
}
