package dev.pageferry.support;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollDomainDatagramChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainDatagramPacket;
import io.netty.channel.unix.DomainSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A service manager's end of the socket that servers tell their state to. */
public final class NotifyInbox implements AutoCloseable {
  private final MultiThreadIoEventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private final List<String> heard = new CopyOnWriteArrayList<>();
  private final Path socket;
  private final Channel channel;

  private NotifyInbox(Path socket) throws InterruptedException {
    this.socket = socket;
    channel = new Bootstrap().group(loop).channel(EpollDomainDatagramChannel.class)
        .handler(new SimpleChannelInboundHandler<DomainDatagramPacket>() {
          @Override
          protected void channelRead0(ChannelHandlerContext context, DomainDatagramPacket packet) {
            heard.add(packet.content().toString(StandardCharsets.UTF_8));
          }
        }).bind(new DomainSocketAddress(socket.toFile())).sync().channel();
  }

  public static NotifyInbox open(Path socket) throws InterruptedException {
    return new NotifyInbox(socket);
  }

  /** As {@code NOTIFY_SOCKET} has it. */
  public String address() {
    return socket.toString();
  }

  /** All that was said so far, in order. */
  public List<String> heard() {
    return List.copyOf(heard);
  }

  public long count(String state) {
    return heard.stream().filter(state::equals).count();
  }

  @Override
  public void close() throws InterruptedException {
    channel.close().sync();
    loop.shutdownGracefully();
  }
}
