package dev.pageferry.common.concurrent;

import java.time.Duration;

/** A thread of control that was started by a {@link Scheduler}. */
public interface Task {
  /** Makes the task's present or next blocking call throw {@link InterruptedException}. */
  void interrupt();

  /**
   * Forgets an interrupt that no blocking call has noticed yet.
   *
   * @return whether there was one
   * @throws IllegalStateException if this is not the calling task: another's interrupt is its own to notice
   */
  boolean clearInterrupt();

  boolean isAlive();

  /** Waits for the task's end; false if it takes longer. */
  boolean join(Duration atMost) throws InterruptedException;
}
