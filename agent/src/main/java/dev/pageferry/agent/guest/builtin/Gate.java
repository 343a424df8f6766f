package dev.pageferry.agent.guest.builtin;

import dev.pageferry.common.time.Deadline;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Where a thread of a VM waits while the VM is paused. Closed at first. */
final class Gate {
  private final Object lock = new Object();
  /** Guarded by {@link #lock}. */
  private boolean paused;
  private volatile boolean held = true;
  private volatile boolean ended;

  /** Whether the thread is to pause. */
  boolean isHeld() {
    return held;
  }

  /** Whether the thread is to end. */
  boolean isEnded() {
    return ended;
  }

  /** The thread pauses here until it is let go, or is to end. Others see from then on all that it has done. */
  void pauseHere() {
    synchronized (lock) {
      paused = true;
      lock.notifyAll();
      while (held && !ended) {
        try {
          lock.wait();
        } catch (InterruptedException e) {
          ended = true;
        }
      }
      paused = false;
    }
  }

  /** The thread ends, and counts as paused from then on: nobody may wait for it any more. */
  void leave() {
    synchronized (lock) {
      paused = true;
      lock.notifyAll();
    }
  }

  /** Asks the thread to pause; {@link #awaitPaused} waits for it. */
  void hold(Thread thread) {
    held = true;
    LockSupport.unpark(thread);
  }

  /**
   * Waits until the thread is paused.
   *
   * @return false if it does not in time
   */
  boolean awaitPaused(Deadline deadline) throws InterruptedException {
    synchronized (lock) {
      while (!paused) {
        if (deadline.hasPassed()) {
          return false;
        }
        TimeUnit.NANOSECONDS.timedWait(lock, deadline.remainingNanos());
      }
      return true;
    }
  }

  void letGo() {
    synchronized (lock) {
      held = false;
      lock.notifyAll();
    }
  }

  /** Ends the thread and waits for it, however often this thread is interrupted meanwhile. */
  void end(Thread thread) {
    synchronized (lock) {
      ended = true;
      lock.notifyAll();
    }
    LockSupport.unpark(thread);
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
