package dev.pageferry.agent.migration;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.time.Deadline;

/** Opens the control stream to a destination. */
public interface MigrationConnector {
  /** @throws MigrationFailure.PeerLost if nobody answers there in time */
  SourceLink connect(MigrationId migration, HostPort destination, Deadline deadline)
      throws MigrationFailure, InterruptedException;
}
