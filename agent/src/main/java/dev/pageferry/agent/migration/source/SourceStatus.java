package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.BlackoutReport;
import dev.pageferry.agent.migration.RoundReport;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.migration.MigrationStage;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Where a migration stands, or how it ended, as the source sees it.
 *
 * @param setupSeconds from the start to round 0
 * @param throughputBytesPerSecond counted at the destination, from round 0's first frame to the last page placed
 */
public record SourceStatus(State state, MigrationStage stage, Optional<Failure> failure, Progress progress,
    double setupSeconds,
    double totalSeconds, Optional<BlackoutReport> blackout, OptionalDouble blackoutBoundSeconds, long bytesSent,
    double throughputBytesPerSecond, GuestSpeed guestSpeed, List<RoundReport> rounds, Optional<Arrival> arrival) {

  /** How far, or how it ended. */
  public enum State {
    RUNNING,
    /** The VM runs at the destination. */
    COMPLETED,
    /** The VM goes on here. */
    ROLLED_BACK,
    /** The operator's wish; the VM goes on here. */
    CANCELLED,
    /** Commit was asked and not answered yet: the VM is paused here. */
    IN_DOUBT,
    /** The VM belongs to another host; its activation was not seen from here. */
    HANDED_OVER,
    /** The attempt was aborted and the VM is not this host's any more: its copy is destroyed. */
    DISOWNED;

    public boolean isFinal() {
      return this != RUNNING && this != IN_DOUBT;
    }
  }

  /** Why it ended. */
  public record Failure(FailureCode code, String message) {
  }

  /**
   * The round under way.
   *
   * @param remainingBytes of guest memory that this round has not sent yet
   * @param bytesPerSecond over the last sampling interval
   * @param expectedSeconds until this round ends, at that rate
   * @param done share of the attempt, 0 to 1, never backwards
   */
  public record Progress(int round, long remainingBytes, double bytesPerSecond, OptionalDouble expectedSeconds,
      int throttlePercent,
      double done) {
  }

  /** How the network found the guest at the destination; see there. */
  public record Arrival(OptionalDouble firstFrameSeconds, int reachedBy) {
  }

  /** Guest steps per second. */
  public record GuestSpeed(OptionalDouble before, OptionalDouble during, OptionalDouble after) {
  }
}
