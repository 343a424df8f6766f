package dev.pageferry.agent.guest;

import dev.pageferry.agent.memory.DirtyLog;
import dev.pageferry.agent.memory.PageStore;

/**
 * What a migration whose rounds we decide needs of a guest. The built-in {@link VirtualMachine} is one; a hypervisor
 * that lets its dirty log be harvested can be another.
 */
public interface Guest {
  VmSpec spec();

  PageStore ram();

  DirtyLog dirtyLog();

  /** Adds a reason and waits until no vCPU runs. Registers and stores are visible to the caller from then on. */
  void pause(PauseReason reason) throws InterruptedException;

  /** Removes a reason; vCPUs run once there is none left. */
  void resume(PauseReason reason);

  boolean isPausedFor(PauseReason reason);

  /** Registers of all vCPUs, while paused. */
  GuestState state();

  /** Holds vCPUs back for this percentage of the time, 0 to 99. */
  void throttle(int percent);

  /** Steps done by all vCPUs since the VM booted, as of a moment ago. */
  long steps();

  /** Steps per second over the last second or two. */
  double stepsPerSecond();
}
