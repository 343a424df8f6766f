package dev.pageferry.agent.transport;

import dev.pageferry.agent.migration.IncomingDirectory;
import dev.pageferry.common.accept.Strangers;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.time.Ticker;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** Listens for migrations. */
public final class MigrationServer implements AutoCloseable {
  private static final int BACKLOG = 128;
  private static final int MAX_STRANGERS = 256;

  private final EventLoops loops;
  private final IncomingDirectory directory;
  private final LinkPasses links;
  private final ConcurrentMap<MigrationId, NettyDestinationLink> sessions = new ConcurrentHashMap<>();
  private final Strangers strangers = new Strangers("migration", MAX_STRANGERS);
  private final Channel listener;

  private MigrationServer(EventLoops loops, HostPort address, MigrationTls tls, IncomingDirectory directory,
      LinkPasses links)
      throws IOException, InterruptedException {
    this.loops = loops;
    this.directory = directory;
    this.links = links;
    var binding = new ServerBootstrap().group(loops.control(), loops.data()).channel(EventLoops.serverChannel())
        .option(ChannelOption.SO_BACKLOG, BACKLOG).option(ChannelOption.SO_REUSEADDR, true)
        .childOption(ChannelOption.TCP_NODELAY, true).childHandler(new ChannelInitializer<Channel>() {
          @Override
          protected void initChannel(Channel channel) {
            new Doorkeeper(MigrationServer.this, tls.isOn()).install(channel);
            tls.secureAccepted(channel);
          }
        }).bind(new InetSocketAddress(address.host(), address.port())).await();
    if (!binding.isSuccess()) {
      throw IoFailure.listening("migrations", address, "--migration-listen", binding.cause());
    }
    listener = binding.channel();
  }

  /** @throws IOException if the address cannot be listened on */
  public static MigrationServer listen(EventLoops loops, HostPort address, MigrationTls tls,
      IncomingDirectory directory)
      throws IOException, InterruptedException {
    return listen(loops, address, tls, directory, new LinkPasses(Ticker.SYSTEM));
  }

  /**
   * As {@link #listen(EventLoops, HostPort, MigrationTls, IncomingDirectory)}, and for measures of links.
   *
   * @param links that may be measured
   */
  public static MigrationServer listen(EventLoops loops, HostPort address, MigrationTls tls,
      IncomingDirectory directory, LinkPasses links) throws IOException, InterruptedException {
    return new MigrationServer(loops, address, tls, directory, links);
  }

  /** The port that is listened on. */
  public int port() {
    return ((InetSocketAddress) listener.localAddress()).getPort();
  }

  IncomingDirectory directory() {
    return directory;
  }

  LinkPasses links() {
    return links;
  }

  ConcurrentMap<MigrationId, NettyDestinationLink> sessions() {
    return sessions;
  }

  /** Connections that have not shown who they are. */
  Strangers strangers() {
    return strangers;
  }

  @Override
  public void close() throws InterruptedException {
    listener.close().await();
  }
}
