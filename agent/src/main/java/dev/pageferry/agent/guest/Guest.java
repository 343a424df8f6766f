package dev.pageferry.agent.guest;

import dev.pageferry.agent.disk.DiskSet;
import dev.pageferry.agent.memory.DirtyLog;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.ownership.LeaveToRun;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/**
 * What a migration whose rounds we decide needs of a guest. The built-in {@link VirtualMachine} is one; a hypervisor
 * that lets its dirty log be harvested can be another.
 */
public interface Guest {
  /** The longest that a request to a disk may keep a vCPU from standing. */
  Duration LONGEST_DRAIN = Duration.ofSeconds(5);

  VmSpec spec();

  PageStore ram();

  DirtyLog dirtyLog();

  /**
   * Adds a reason and waits until no vCPU runs and no network card works. Registers and stores are visible to the caller from
   * then on, and all frames are on their way.
   */
  void pause(PauseReason reason) throws InterruptedException;

  /**
   * As {@link #pause}, for an operation that is to fail rather than to keep the guest from running for long.
   *
   * @throws IOException if a vCPU or network card does not pause for {@link #LONGEST_DRAIN}, because a disk does not answer it; the
   *     guest then runs on
   */
  void pauseOrRunOn(PauseReason reason) throws IOException, InterruptedException;

  /**
   * Removes a reason other than {@link PauseReason#MIGRATION}; vCPUs run once there is none left.
   *
   * @throws IllegalArgumentException for that one: see {@link #runOn}
   */
  void resume(PauseReason reason);

  /** Removes {@link PauseReason#MIGRATION}, which holds a guest while it may be another host's. */
  void runOn(LeaveToRun leave);

  boolean isPausedFor(PauseReason reason);

  /** Registers of all vCPUs, while paused. */
  GuestState state();

  /** The disks, where they are open here. */
  Optional<DiskSet> disks();

  /** Gives the guest its disks, open under the epoch under which this host owns it. */
  void attach(DiskSet opened);

  /**
   * Takes the disks from the paused guest: makes safe what it wrote, closes and releases them.
   *
   * @param migration what they are released for; empty: the VM is off
   * @throws IOException if that fails; they are closed all the same
   */
  void releaseDisks(String migration) throws IOException;

  /**
   * The guest belongs to another host: switches here forget its network cards, and frames that they held go after it.
   *
   * @param host its name
   */
  void handOverNetwork(String host) throws InterruptedException;

  /** Holds vCPUs back for this percentage of the time, 0 to 99. */
  void throttle(int percent);

  /** Steps done by all vCPUs since the VM booted, as of a moment ago. */
  long steps();

  /** Steps per second over the last second or two. */
  double stepsPerSecond();
}
