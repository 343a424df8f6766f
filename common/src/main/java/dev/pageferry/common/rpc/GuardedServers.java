package dev.pageferry.common.rpc;

import dev.pageferry.common.accept.GuardedPort;
import dev.pageferry.common.config.HostPort;
import io.grpc.netty.NettyServerBuilder;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;

/** gRPC servers whose callers, whoever they are, cost only so much. */
public final class GuardedServers {
  /** Nobody holds a connection for longer without showing a certificate. */
  private static final long HANDSHAKE_SECONDS = 5;
  /** Of one connection; a call beyond that waits at the caller. */
  static final int MAX_CALLS = 1000;

  private GuardedServers() {
  }

  /** @param port that accepts its connections; the caller closes it once the server has ended */
  public static NettyServerBuilder listeningOn(HostPort address, GuardedPort port) {
    return NettyServerBuilder.forAddress(new InetSocketAddress(address.host(), address.port()))
        .channelFactory(port.listener()).bossEventLoopGroup(port.accepting()).workerEventLoopGroup(port.serving())
        .addTransportFilter(new Introductions(port))
        .handshakeTimeout(HANDSHAKE_SECONDS, TimeUnit.SECONDS).maxConcurrentCallsPerConnection(MAX_CALLS);
  }
}
