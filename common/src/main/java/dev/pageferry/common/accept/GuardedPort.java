package dev.pageferry.common.accept;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundInvoker;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.net.SocketAddress;

/**
 * The port of a server that accepts connections in code which is not ours, as gRPC's does: each one is among the {@link Strangers}
 * before that code sees it, and until {@link #introduced}. That code listens by {@link #listener()}, on these event loops.
 */
public final class GuardedPort implements AutoCloseable {
  /** As many threads as Netty takes by default, and so gRPC: two for each processor. */
  private static final int BY_PROCESSORS = 0;
  /** Few, since a selector of the JDK gives a closed socket's descriptor back at its next turn, after what waits for the event loop. */
  private static final int MAX_LEAVING = 64;

  private final ChannelFactory<? extends ServerChannel> sockets;
  private final Strangers strangers;
  private final EventLoopGroup accepting;
  private final EventLoopGroup serving;

  /**
   * @param io what an event loop waits in
   * @param sockets that fit it
   * @param name of the threads
   */
  public GuardedPort(IoHandlerFactory io, ChannelFactory<? extends ServerChannel> sockets, String name,
      Strangers strangers) {
    this.sockets = sockets;
    this.strangers = strangers;
    accepting = new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory(name + "-accept", true), io);
    serving = new MultiThreadIoEventLoopGroup(BY_PROCESSORS, new DefaultThreadFactory(name, true), io);
  }

  /** With the sockets of the JDK. */
  public static GuardedPort withSelectors(String name, Strangers strangers) {
    return new GuardedPort(NioIoHandler.newFactory(), NioServerSocketChannel::new, name, strangers);
  }

  /** Makes the socket that is listened on. */
  public ChannelFactory<ServerChannel> listener() {
    return () -> {
      ServerChannel listener = sockets.newChannel();
      // Before what accepts, which comes when the socket is bound.
      listener.pipeline().addLast(new Porter());
      return listener;
    };
  }

  /** Where connections are accepted. */
  public EventLoopGroup accepting() {
    return accepting;
  }

  /** Where they are served. */
  public EventLoopGroup serving() {
    return serving;
  }

  /** The connection with this other end has shown who it is. */
  public void introduced(SocketAddress peer) {
    strangers.introduced(peer);
  }

  /** Ends the event loops; whatever listens here, or is connected, is closed. */
  @Override
  public void close() {
    // What ends with the connections is counted by the one that accepts.
    serving.shutdownGracefully().addListener(_ -> accepting.shutdownGracefully());
  }

  /** On one event loop alone. */
  private final class Porter extends ChannelInboundHandlerAdapter {
    private final int maxLeaving = Math.min(MAX_LEAVING, strangers.max());
    /** Told to close, and not closed yet. */
    private int leaving;

    @Override
    public void channelRead(ChannelHandlerContext context, Object accepted) {
      Channel stranger = (Channel) accepted;
      var tooMany = strangers.came(stranger);
      stranger.closeFuture().addListener(_ -> strangers.went(stranger));
      // It has an event loop from then on, so that it can be closed.
      context.fireChannelRead(stranger);
      tooMany.ifPresent(oldest -> sendAway(context, oldest));
    }

    /** Connections can be accepted faster than they are closed: then they wait in the kernel, which has a bound of its own. */
    private void sendAway(ChannelHandlerContext context, Channel oldest) {
      leaving++;
      if (leaving >= maxLeaving) {
        context.channel().config().setAutoRead(false);
      }
      oldest.closeFuture().addListener(_ -> context.executor().execute(() -> {
        leaving--;
        if (leaving == maxLeaving / 2) {
          context.channel().config().setAutoRead(true);
        }
      }));
      oldest.eventLoop().execute(() -> hangUp(oldest));
    }

    /** Past all handlers: gRPC's would take leave, and wait seconds for an answer that never comes. */
    private static void hangUp(Channel channel) {
      ChannelOutboundInvoker first = channel.pipeline().firstContext();
      (first == null ? channel : first).close();
    }
  }
}
