package dev.pageferry.agent.transport;

import dev.pageferry.common.accept.GuardedPort;
import dev.pageferry.common.accept.Strangers;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executor;

/**
 * The threads that serve migration sockets: one for the source's control streams and the listener, the others for pages
 * and for what is accepted. Turns are bounded, so that keep-alives are answered however busy pages keep a thread. Native epoll where it loads, the JDK's selector elsewhere.
 */
public final class EventLoops implements AutoCloseable {
  private final EventLoopGroup control;
  private final EventLoopGroup data;

  /** @param dataThreads threads that read, check and write pages */
  public EventLoops(int dataThreads) {
    control = group(1, "migration-control");
    data = group(dataThreads, "migration-data");
  }

  private static EventLoopGroup group(int threads, String name) {
    IoHandlerFactory handlers = Epoll.isAvailable() ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
    return new MultiThreadIoEventLoopGroup(threads, new DefaultThreadFactory(name, true), handlers);
  }

  EventLoopGroup control() {
    return control;
  }

  EventLoopGroup data() {
    return data;
  }

  /** Each of the threads, by its name: it runs what it is given between two turns. */
  public Map<String, Executor> each() {
    Map<String, Executor> each = new LinkedHashMap<>();
    control.forEach(loop -> each.put("migration-control", loop));
    data.forEach(loop -> each.put("migration-data-" + each.size(), loop));
    return each;
  }

  static Class<? extends SocketChannel> socketChannel() {
    return Epoll.isAvailable() ? EpollSocketChannel.class : NioSocketChannel.class;
  }

  static Class<? extends ServerChannel> serverChannel() {
    return Epoll.isAvailable() ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
  }

  /** A port beside that of migrations, on event loops of its own. @param name of the threads */
  public static GuardedPort guardedPort(String name, Strangers strangers) {
    return Epoll.isAvailable()
        ? new GuardedPort(EpollIoHandler.newFactory(), EpollServerSocketChannel::new, name, strangers)
        : GuardedPort.withSelectors(name, strangers);
  }

  @Override
  public void close() {
    control.shutdownGracefully();
    data.shutdownGracefully();
  }
}
