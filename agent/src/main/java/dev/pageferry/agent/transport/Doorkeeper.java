package dev.pageferry.agent.transport;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.PageSink;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.migration.v1.LinkProbe;
import dev.pageferry.proto.migration.v1.LinkProbeWelcome;
import dev.pageferry.proto.migration.v1.Refusal;
import dev.pageferry.proto.migration.v1.StreamHello;
import dev.pageferry.proto.migration.v1.StreamWelcome;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Meets a new connection, which has a few seconds and one short frame to show who it is: a control stream by the
 * migration's token, a data stream by its proof of the session key, a measure of the link by a token of its own. Until then
 * it costs a bounded few bytes.
 */
final class Doorkeeper extends SimpleChannelInboundHandler<MessageLite> {
  private static final Logger log = LoggerFactory.getLogger(Doorkeeper.class);
  private static final long HELLO_TIMEOUT_SECONDS = 5;

  private final MigrationServer server;
  private final LongAdder bytesSent = new LongAdder();
  private final LongAdder bytesReceived = new LongAdder();
  private final ControlCodec codec = new ControlCodec(bytesSent, bytesReceived);
  private final ExactReads reads = new ExactReads();
  private final boolean secured;
  private boolean known;

  /** @param secured whether bytes come through TLS */
  Doorkeeper(MigrationServer server, boolean secured) {
    this.server = server;
    this.secured = secured;
  }

  void install(Channel channel) {
    channel.config().setRecvByteBufAllocator(reads);
    channel.pipeline().addLast(codec).addLast(this);
  }

  @Override
  public void channelActive(ChannelHandlerContext context) {
    Channel channel = context.channel();
    channel.closeFuture().addListener(closed -> leaveStrangers(channel));
    server.strangers().came(channel).ifPresent(Channel::close);
    context.executor().schedule(() -> {
      if (!known) {
        context.close();
      }
    }, HELLO_TIMEOUT_SECONDS, TimeUnit.SECONDS);
  }

  /** Runs on the channel's event loop: once when the peer is known, or when the channel closes before that. */
  private void leaveStrangers(Channel channel) {
    if (!known) {
      known = true;
      server.strangers().went(channel);
    }
  }

  @Override
  protected void channelRead0(ChannelHandlerContext context, MessageLite message) {
    switch (message) {
      case Hello hello -> controlStream(context, hello);
      case StreamHello hello -> dataStream(context, hello);
      case LinkProbe probe -> linkProbe(context, probe);
      default -> refuse(context, FailureCode.PROTOCOL_VIOLATION,
          "expected a hello, received %s".formatted(message.getClass().getSimpleName()));
    }
  }

  private void controlStream(ChannelHandlerContext context, Hello hello) {
    ControlChannel control = new ControlChannel(FailureCode.SOURCE_LOST);
    Channel channel = context.channel();
    NettyDestinationLink link = new NettyDestinationLink(control, bytesReceived, MigrationTls.peer(channel));
    channel.pipeline().replace(this, "control", control);
    try {
      server.directory().admit(hello, link);
    } catch (MigrationFailure e) {
      log.warn("connection from {} refused: {}", channel.remoteAddress(), e.getMessage());
      control.send(Refusal.newBuilder().setCode(e.code().name()).setMessage(e.getMessage()).build());
      control.close();
      return;
    }
    leaveStrangers(channel);
    codec.trust();
    MigrationId migration = new MigrationId(hello.getMigrationId());
    server.sessions().put(migration, link);
    channel.closeFuture().addListener(closed -> server.sessions().remove(migration, link));
  }

  private void dataStream(ChannelHandlerContext context, StreamHello hello) {
    NettyDestinationLink link = session(hello);
    Optional<PageSink> sink = link == null
        ? Optional.empty()
        : link.admit(hello.getStream(), hello.getProof().toByteArray(), context.channel());
    if (link == null || sink.isEmpty()) {
      refuse(context, FailureCode.DESTINATION_REFUSED, "no migration '%s' expects stream %d with this proof".formatted(
          hello.getMigrationId(), hello.getStream()));
      return;
    }
    leaveStrangers(context.channel());
    context.writeAndFlush(StreamWelcome.newBuilder().setStream(hello.getStream()).build());
    DataStreamReceiver receiver = new DataStreamReceiver(hello.getStream(), sink.get(), link.byteCounter(),
        codec.sequenceIn(), codec.sequenceOut());
    Channel channel = context.channel();
    // The source sends no page before it has read the welcome, so that the codec holds no bytes of it now.
    channel.pipeline().replace(this, "receiver", receiver);
    if (secured) {
      reads.readMuch();
      channel.pipeline().replace(codec, "copied-reads", new CopiedReads(receiver::nextTarget));
    } else {
      reads.directTo(receiver::nextTarget);
      channel.pipeline().remove(codec);
    }
  }

  private void linkProbe(ChannelHandlerContext context, LinkProbe probe) {
    Channel channel = context.channel();
    Optional<LinkPasses.Bounds> bounds = server.links().take(probe.getToken().toByteArray(),
        MigrationTls.peer(channel));
    if (bounds.isEmpty()) {
      refuse(context, FailureCode.DESTINATION_REFUSED, "no measure of the link is expected with this token");
      return;
    }
    leaveStrangers(channel);
    reads.readMuch();
    context.writeAndFlush(LinkProbeWelcome.getDefaultInstance());
    String name = context.pipeline().context(codec).name();
    channel.pipeline().addBefore(name, "counter", server.links().counter(bounds.get()));
  }

  private @Nullable NettyDestinationLink session(StreamHello hello) {
    try {
      return server.sessions().get(new MigrationId(hello.getMigrationId()));
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  private void refuse(ChannelHandlerContext context, FailureCode code, String message) {
    log.warn("connection from {} refused: {}", context.channel().remoteAddress(), message);
    context.writeAndFlush(Refusal.newBuilder().setCode(code.name()).setMessage(message).build())
        .addListener(ChannelFutureListener.CLOSE);
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    log.warn("connection from {} closed: {}", context.channel().remoteAddress(),
        MigrationTls.reason(cause).getMessage());
    context.close();
  }
}
