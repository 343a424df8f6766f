package dev.pageferry.simulation;

import dev.pageferry.common.concurrent.Signal;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.function.BooleanSupplier;

/** A lock that many tasks share or one has alone; who waits for it gives the baton up. No order among those who wait. */
final class SimulatedReadWriteLock implements ReadWriteLock {
  private final Signal released;
  private int sharing;
  private boolean alone;
  private final Lock read = new Side(() -> !alone) {
    @Override
    void take() {
      sharing++;
    }

    @Override
    void release() {
      sharing--;
    }
  };
  private final Lock write = new Side(() -> !alone && sharing == 0) {
    @Override
    void take() {
      alone = true;
    }

    @Override
    void release() {
      alone = false;
    }
  };

  SimulatedReadWriteLock(SimulatedScheduler host) {
    released = host.newSignal();
  }

  @Override
  public Lock readLock() {
    return read;
  }

  @Override
  public Lock writeLock() {
    return write;
  }

  private abstract class Side implements Lock {
    private final BooleanSupplier isFree;

    Side(BooleanSupplier isFree) {
      this.isFree = isFree;
    }

    abstract void take();

    abstract void release();

    @Override
    public void lock() {
      boolean interrupted = false;
      while (!isFree.getAsBoolean()) {
        try {
          released.await(isFree);
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      take();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }

    @Override
    public void unlock() {
      release();
      released.raise();
    }

    @Override
    public void lockInterruptibly() {
      throw new UnsupportedOperationException("not simulated");
    }

    @Override
    public boolean tryLock() {
      throw new UnsupportedOperationException("not simulated");
    }

    @Override
    public boolean tryLock(long time, TimeUnit unit) {
      throw new UnsupportedOperationException("not simulated");
    }

    @Override
    public Condition newCondition() {
      throw new UnsupportedOperationException("not simulated");
    }
  }
}
