package dev.pageferry.common.concurrent;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/** The machine's own threads: tasks are virtual ones. */
final class SystemScheduler implements Scheduler {
  @Override
  public long nanos() {
    return System.nanoTime();
  }

  @Override
  public long wallMillis() {
    return System.currentTimeMillis();
  }

  @Override
  public void sleep(Duration duration) throws InterruptedException {
    Thread.sleep(duration);
  }

  @Override
  public Task start(String name, Runnable body) {
    return new ThreadTask(Thread.ofVirtual().name(name).start(body));
  }

  @Override
  public Task startBlocking(String name, Runnable body) {
    return new ThreadTask(Thread.ofPlatform().daemon().name(name).start(body));
  }

  @Override
  public Task current() {
    return new ThreadTask(Thread.currentThread());
  }

  @Override
  public Signal newSignal() {
    return new LockSignal();
  }

  private record ThreadTask(Thread thread) implements Task {
    @Override
    public void interrupt() {
      thread.interrupt();
    }

    @Override
    public boolean clearInterrupt() {
      if (thread != Thread.currentThread()) {
        throw new IllegalStateException("the interrupt of another task");
      }
      return Thread.interrupted();
    }

    @Override
    public boolean isAlive() {
      return thread.isAlive();
    }

    @Override
    public boolean join(Duration atMost) throws InterruptedException {
      return thread.join(atMost);
    }
  }

  /** An event count on a lock. The condition is looked at outside the lock: it may take locks of its own. */
  private static final class LockSignal implements Signal {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition raised = lock.newCondition();
    private volatile long count;

    @Override
    public boolean await(BooleanSupplier condition, Duration atMost) throws InterruptedException {
      long end = System.nanoTime() + TimeUnit.NANOSECONDS.convert(atMost);
      while (true) {
        // Read before the condition: a raise that comes in between is seen by the comparison below.
        long seen = count;
        if (condition.getAsBoolean()) {
          return true;
        }
        lock.lockInterruptibly();
        try {
          while (count == seen) {
            long left = end - System.nanoTime();
            if (left <= 0) {
              return false;
            }
            long _ = raised.awaitNanos(left);
          }
        } finally {
          lock.unlock();
        }
      }
    }

    @Override
    public void raise() {
      lock.lock();
      try {
        count++;
        raised.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }
}
