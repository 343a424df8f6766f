package dev.pageferry.agent.guest;

import dev.pageferry.agent.guest.builtin.MachineState;
import java.util.Optional;
import java.util.Set;
import java.util.function.BooleanSupplier;

/**
 * A guest that was built on this host, empty, for a state that comes from elsewhere. What a destination needs beside
 * {@link Guest}: to give it the state, to let it live here, and to end it.
 */
public interface IncomingGuest extends Guest, AutoCloseable {
  /**
   * Gives the guest a state, in place of any that it has and under which it has not run. It stays paused for
   * {@link PauseReason#MIGRATION}, until {@link #runOn} says that it may run here. The state is copied.
   *
   * @param reasons for which it stays paused besides
   * @throws IllegalArgumentException if the state is not one of this guest's
   */
  void load(MachineState state, Set<PauseReason> reasons);

  /**
   * The guest is this host's: its network cards are here, and everybody is told.
   *
   * @param isOurs whether it still is
   */
  void connect(BooleanSupplier isOurs);

  /** How the network cards came here; empty for a guest without any. */
  Optional<NetworkArrival> networkArrival();

  /** Whether there is a reason to pause. Does not wait for a pause that is under way. */
  boolean isPaused();

  /** Steps done on this host. */
  long stepsHere();

  /**
   * Waits until the guest has stepped since the last resume.
   *
   * @return when that was, on the guest's ticker, or 0 if it did not happen in time
   */
  long awaitFirstStep(long waitMillis) throws InterruptedException;

  /** Ends the guest, lets go of its disks, and gives the memory back once nobody borrows it. Idempotent. */
  @Override
  void close();
}
