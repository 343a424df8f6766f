package dev.pageferry.agent.migration;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.time.Deadline;

/** Opens the control stream to a destination. */
public interface MigrationConnector {
  /**
   * Connects.
   *
   * @param host that is to be there: where hosts know each other by certificates, no other one is talked to
   * @throws MigrationFailure.PeerLost if nobody answers there in time
   */
  SourceLink connect(MigrationId migration, HostId host, HostPort destination, Deadline deadline)
      throws MigrationFailure, InterruptedException;
}
