package dev.pageferry.coordinator.fencing;

import dev.pageferry.proto.cluster.v1.FenceDevice;
import java.time.Duration;
import java.util.Locale;

/** Runs fence agents. */
public interface FenceAgent {
  /** What one is asked for. */
  enum Action {
    /** Takes as long as a power supply needs to switch. */
    OFF(Duration.ofSeconds(60)),
    STATUS(Duration.ofSeconds(10));

    private final Duration atMost;

    Action(Duration atMost) {
      this.atMost = atMost;
    }

    /** After that it is killed. */
    public Duration atMost() {
      return atMost;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * What a fence agent came to by itself.
   *
   * @param said one line, without secrets; may be empty
   */
  record Ended(int exitCode, String said) {
  }

  /** @throws FenceException if it could not be run, or did not end in time */
  Ended run(FenceDevice device, Action action) throws FenceException, InterruptedException;
}
