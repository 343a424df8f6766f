package dev.pageferry.agent.transport;

import dev.pageferry.agent.migration.MigrationConnector;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.SourceLink;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Deadline;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

/** Connects to the migration listeners of other hosts. */
public final class MigrationClient implements MigrationConnector {
  private final EventLoops loops;
  private final CongestionControl congestionControl;
  private final MigrationTls tls;

  /** @param congestionControl of the streams that carry pages */
  public MigrationClient(EventLoops loops, CongestionControl congestionControl, MigrationTls tls) {
    this.tls = tls;
    this.loops = loops;
    this.congestionControl = congestionControl;
  }

  @Override
  public SourceLink connect(MigrationId migration, HostId host, HostPort destination, Deadline deadline)
      throws MigrationFailure, InterruptedException {
    InetSocketAddress address = new InetSocketAddress(destination.host(), destination.port());
    ControlChannel control = new ControlChannel(FailureCode.DESTINATION_LOST);
    LongAdder bytesSent = new LongAdder();
    ChannelFuture connecting = new Bootstrap().group(loops.control()).channel(EventLoops.socketChannel())
        .option(ChannelOption.TCP_NODELAY, true)
        .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, StreamConnector.CONNECT_TIMEOUT_MILLIS)
        .handler(new ChannelInitializer<Channel>() {
          @Override
          protected void initChannel(Channel channel) {
            ControlCodec codec = new ControlCodec(bytesSent, new LongAdder());
            codec.trust();
            channel.pipeline().addLast(codec).addLast(control);
            tls.secureTo(channel, host);
          }
        }).connect(address);
    if (!connecting.await(deadline.remainingNanos(), TimeUnit.NANOSECONDS) || !connecting.isSuccess()) {
      connecting.cancel(true);
      throw new MigrationFailure.PeerLost(FailureCode.DESTINATION_UNREACHABLE,
          "no connection to the destination's migration address %s: %s"
              .formatted(destination,
                  connecting.cause() == null ? "no answer in time" : IoFailure.sentence(connecting.cause())));
    }
    return new NettySourceLink(migration, address,
        new StreamConnector(loops, congestionControl, channel -> tls.secureTo(channel, host)),
        control, bytesSent);
  }
}
