package dev.pageferry.agent.guest;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.disk.WriteTracking;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.ownership.LeaveToRun;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * A guest of this host, whatever machine it runs in: what a host does with it while it is here, and what a migration needs to
 * take it away. What is needed to bring one here is in {@link IncomingGuest}.
 */
public interface Guest extends AutoCloseable {
  /** The longest that a request to a disk may keep a guest from pausing. */
  Duration LONGEST_DRAIN = Duration.ofSeconds(5);

  GuestSpec spec();

  PageStore ram();

  /**
   * What tells, for the length of one migration, which pages of {@link #ram()} are to be sent. One at a time; its owner closes
   * it, at the latest when the migration is over, and perhaps after the guest.
   *
   * @throws IOException if the machine cannot be asked
   */
  PageSource openPages() throws IOException, InterruptedException;

  /** Adds every page that may hold something else than zeros; while paused. */
  void addWritten(PageBitmap into);

  /**
   * Adds a reason and waits until the guest runs no more and no network card works. State and stores are visible to the caller
   * from then on, and all frames are on their way.
   */
  void pause(PauseReason reason) throws InterruptedException;

  /**
   * As {@link #pause}, for an operation that is to fail rather than to keep the guest from running for long.
   *
   * @throws IOException if the guest does not pause within {@link #LONGEST_DRAIN}, because a disk or a network card does not
   *     answer it; it then runs on
   */
  void pauseOrRunOn(PauseReason reason) throws IOException, InterruptedException;

  /**
   * Sets or removes the operator's pause.
   *
   * @throws IllegalStateException while a migration switches over: what it carries to the other host is fixed by then
   */
  void pauseForOperator(boolean paused) throws InterruptedException;

  /**
   * Removes a reason other than {@link PauseReason#MIGRATION}; the guest runs once there is none left.
   *
   * @throws IllegalArgumentException for that one: see {@link #runOn}
   */
  void resume(PauseReason reason);

  /** Removes {@link PauseReason#MIGRATION}, which holds a guest while it may be another host's. */
  void runOn(LeaveToRun leave);

  boolean isPausedFor(PauseReason reason);

  /** Whether there is a reason to pause. Does not wait for a pause that is under way. */
  boolean isPaused();

  /**
   * Parts of the state that a guest has already which still runs, to be sent ahead of its pause; {@link #state} leaves out what was told
   * here. Asked for now and then in a live migration, and behind {@link #state}, which may leave out what is too large; empty where there is
   * nothing new.
   *
   * @throws IOException if the machine does not give it
   */
  default List<GuestState> stateAhead() throws IOException, InterruptedException {
    return List.of();
  }

  /**
   * The state beside RAM, while paused. In a live migration it is asked for once {@link PageSource#harvestRest} has handed over
   * all pages.
   *
   * @throws IOException if the machine does not give it
   */
  GuestState state() throws IOException, InterruptedException;

  /**
   * Opens those disks that are not open here, all or none, under the epoch under which this host owns the guest.
   *
   * @throws IOException if that cannot be done now
   * @throws IllegalStateException if the guest is gone from this host
   */
  void openDisks(DiskClaim claim) throws IOException, InterruptedException;

  /** Makes safe what the guest has written to disks that are open here. */
  void flushDisks() throws IOException;

  /**
   * Takes the disks from the paused guest: makes safe what it wrote, closes and releases them.
   *
   * @param migration what they are released for; empty: the guest is off
   * @throws IOException if that fails; they are closed all the same
   */
  void releaseDisks(String migration) throws IOException;

  /**
   * Notes from now on which blocks of the disks are changed. One at a time.
   *
   * @throws IOException if the disks are not open on this host
   */
  WriteTracking trackWrites() throws IOException;

  /**
   * The guest is this host's: its network cards are here, and everybody is told.
   *
   * @param isOurs whether it still is
   */
  void connect(BooleanSupplier isOurs);

  /**
   * The guest belongs to another host: switches here forget its network cards, and frames that they held go after it.
   *
   * @param host its name
   */
  void handOverNetwork(String host) throws InterruptedException;

  /** How the network cards came here; empty for a guest without any. */
  Optional<NetworkArrival> networkArrival();

  /** Holds the guest back for this percentage of the time, 0 to 99. */
  void throttle(int percent);

  /** How long it may take until a {@link #throttle} that was raised holds the guest back. What it wrote before says nothing about that. */
  default Duration throttleDelay() {
    return Duration.ZERO;
  }

  /**
   * The contents at one moment; the guest is paused meanwhile.
   *
   * @throws IOException if it does not pause
   */
  default VmDigest digest() throws IOException, InterruptedException {
    throw new IllegalStateException("VM %s is of a kind that has no digest".formatted(spec().name()));
  }

  /** Its serial console; empty for a machine without one. */
  default Optional<GuestConsole> console() {
    return Optional.empty();
  }

  /** What became of it by itself. */
  default GuestCondition condition() {
    return GuestCondition.FINE;
  }

  /**
   * Asks the guest to switch itself off, as a power button does, and waits for that.
   *
   * @return whether it is off; a machine without such a button is as good as off
   * @throws IOException if the machine cannot be asked
   * @throws IllegalStateException if it is paused, and so cannot hear
   */
  default boolean powerDown(Duration atMost) throws IOException, InterruptedException {
    return true;
  }

  /** What a guest can that is replayed from its specification; empty where the machine has no such guests. */
  default Optional<Replayable> replayable() {
    return Optional.empty();
  }

  /** Ends the guest, lets go of its disks, and gives the memory back once nobody borrows it. Idempotent. */
  @Override
  void close();

  /** This host has it under that epoch from now on. */
  default void ownedUnder(OwnershipEpoch epoch) {
  }

  /**
   * This agent ends, and another one of its host may be there soon: leaves the guest to it where that can be, else ends it.
   * Idempotent.
   */
  default void detach() {
    close();
  }
}
