package dev.pageferry.agent.guest.builtin;

import dev.pageferry.common.time.Deadline;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Where a thread of a VM stands while the VM is paused. Closed at first. */
final class Gate {
  private final Object lock = new Object();
  /** Guarded by {@link #lock}. */
  private boolean standing;
  private volatile boolean held = true;
  private volatile boolean ended;

  /** Whether the thread is to come and stand. */
  boolean isHeld() {
    return held;
  }

  /** Whether the thread is to end. */
  boolean isEnded() {
    return ended;
  }

  /** The thread stands here until it is let go, or is to end. Others see from then on all that it has done. */
  void stand() {
    synchronized (lock) {
      standing = true;
      lock.notifyAll();
      while (held && !ended) {
        try {
          lock.wait();
        } catch (InterruptedException e) {
          ended = true;
        }
      }
      standing = false;
    }
  }

  /** The thread ends, and stands for good: nobody may wait for it any more. */
  void leave() {
    synchronized (lock) {
      standing = true;
      lock.notifyAll();
    }
  }

  /** Asks the thread to come and stand; {@link #awaitStanding} waits for it. */
  void hold(Thread thread) {
    held = true;
    LockSupport.unpark(thread);
  }

  /**
   * Waits until the thread stands.
   *
   * @return false if it does not in time
   */
  boolean awaitStanding(Deadline deadline) throws InterruptedException {
    synchronized (lock) {
      while (!standing) {
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
