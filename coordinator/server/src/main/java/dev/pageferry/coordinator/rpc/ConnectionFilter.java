package dev.pageferry.coordinator.rpc;

import dev.pageferry.coordinator.inventory.HostConnections.Connection;
import io.grpc.Attributes;
import io.grpc.ServerTransportFilter;
import java.util.Optional;

/** Notes when connections end. */
final class ConnectionFilter extends ServerTransportFilter {
  private static final Attributes.Key<Connection> CONNECTION = Attributes.Key.create("pageferry-connection");

  /** The connection with these attributes. */
  static Optional<Connection> connection(Attributes attributes) {
    return Optional.ofNullable(attributes.get(CONNECTION));
  }

  @Override
  public Attributes transportReady(Attributes attributes) {
    return attributes.toBuilder().set(CONNECTION, new Connection()).build();
  }

  @Override
  public void transportTerminated(Attributes attributes) {
    connection(attributes).ifPresent(Connection::end);
  }
}
