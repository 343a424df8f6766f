package dev.pageferry.common.concurrent;

import java.time.Duration;

/** A thread of control that was started by a {@link Scheduler}. */
public interface Task {
  /** Makes the task's present or next blocking call throw {@link InterruptedException}. */
  void interrupt();

  boolean isAlive();

  /** Waits for the task's end; false if it takes longer. */
  boolean join(Duration atMost) throws InterruptedException;
}
