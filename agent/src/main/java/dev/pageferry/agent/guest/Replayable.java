package dev.pageferry.agent.guest;

import dev.pageferry.agent.memory.OutOfMemoryException;
import java.io.IOException;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** A guest that does the same steps wherever and however often it is run, so that its contents can be proved. */
public interface Replayable {
  /** Steps done since the guest booted, as of a moment ago. */
  long steps();

  /** Of these, steps done on this host. */
  long stepsHere();

  /** Steps per second over the last second or two. */
  double stepsPerSecond();

  /** Steps that a guest has done; 0 if it counts none. */
  static long stepsOf(Guest guest) {
    return guest.replayable().map(Replayable::steps).orElse(0L);
  }

  /** As {@link #stepsPerSecond}; empty if the guest counts none. */
  static OptionalDouble stepsPerSecondOf(Guest guest) {
    return guest.replayable().map(each -> OptionalDouble.of(each.stepsPerSecond())).orElse(OptionalDouble.empty());
  }

  /**
   * Compares RAM and state with those of a twin that is built from the specification alone and does the same steps. The guest is
   * paused only while its state and the hashes of its pages are taken. Interrupting the caller ends it.
   *
   * @throws OutOfMemoryException if the host has no memory for the twin
   * @throws IOException if what it was booted from is not on this host, or is another one now
   */
  Result verify(Progress progress) throws OutOfMemoryException, IOException, InterruptedException;

  /**
   * The outcome.
   *
   * @param steps at which the two were compared
   * @param firstDifference the first page that differs, or the page count where only the state does
   * @param networkPages pages at the end of RAM that the network fed and that cannot be replayed; their own checker found them
   *     right unless one of them is the first difference
   */
  record Result(long steps, OptionalLong firstDifference, long networkPages) {
    public boolean identical() {
      return firstDifference.isEmpty();
    }
  }

  /** Hears how far the replay has come. */
  interface Progress {
    void replayed(long steps, long totalSteps);
  }
}
