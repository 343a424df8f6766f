package dev.pageferry.agent.migration;

import dev.pageferry.common.time.Deadline;
import java.util.List;

/** The source's end of a migration: a control stream and data streams that pull pages. */
public interface SourceLink extends ControlLink {
  /** Opens the data streams and proves that they belong to this session. */
  void openStreams(int count, byte[] sessionKey, Deadline deadline) throws MigrationFailure, InterruptedException;

  /**
   * Starts one round: every stream pulls frames from its feed as fast as the connection takes them, and ends the round
   * with a marker. The round before must be {@linkplain RoundTransfer#await written}.
   *
   * @param feeds one per stream
   */
  RoundTransfer startRound(int round, List<? extends PageFeed> feeds);

  /** TCP payload written so far, control stream included. */
  long bytesSent();

  /** What the destination says it has received on data streams, bytes; trails by a MiB or two on each stream. */
  long acknowledgedBytes();

  /** Written on data streams and not yet acknowledged, bytes. */
  long unacknowledgedBytes();
}
