package dev.pageferry.agent.migration;

import java.time.Duration;

/** A round on its way. */
public interface RoundTransfer {
  /**
   * Waits until every stream's feed is exhausted and its bytes have left this process.
   *
   * @return false if that takes longer than the given time
   * @throws MigrationFailure if a stream broke
   */
  boolean await(Duration atMost) throws MigrationFailure, InterruptedException;
}
