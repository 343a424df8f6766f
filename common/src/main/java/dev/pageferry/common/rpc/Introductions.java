package dev.pageferry.common.rpc;

import dev.pageferry.common.accept.GuardedPort;
import io.grpc.Attributes;
import io.grpc.Grpc;
import io.grpc.ServerTransportFilter;
import java.net.SocketAddress;

/**
 * Tells the port which connections have shown who they are: gRPC asks when a certificate was shown, where there are any, and the
 * other end has begun with HTTP/2.
 */
final class Introductions extends ServerTransportFilter {
  private final GuardedPort port;

  Introductions(GuardedPort port) {
    this.port = port;
  }

  @Override
  public Attributes transportReady(Attributes transport) {
    SocketAddress peer = transport.get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
    if (peer != null) {
      port.introduced(peer);
    }
    return transport;
  }
}
