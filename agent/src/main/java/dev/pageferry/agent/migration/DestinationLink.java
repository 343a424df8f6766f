package dev.pageferry.agent.migration;

import dev.pageferry.common.identity.HostId;
import java.util.Optional;

/** The destination's end of a migration. */
public interface DestinationLink extends ControlLink {
  /** Lets the source open that many data streams, each of which proves that it knows the key. */
  void acceptStreams(int count, byte[] sessionKey, PageSink sink);

  /** The host at the other end, by its certificate; empty: hosts do not know each other by any. */
  default Optional<HostId> peer() {
    return Optional.empty();
  }

  /** TCP payload received so far, control stream included. */
  long bytesReceived();
}
