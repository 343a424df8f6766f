package dev.pageferry.common.concurrent;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Lets one task at a time do something that may block in ports. Not reentrant. Where nothing inside blocks, a Java monitor
 * is simpler.
 */
public final class Mutex {
  private final Signal freed;
  private final AtomicBoolean taken = new AtomicBoolean();

  Mutex(Signal freed) {
    this.freed = freed;
  }

  /** Something that gives a value or fails. */
  public interface Work<T, E extends Exception> {
    T run() throws E, InterruptedException;
  }

  /** Waits until nobody is inside, then does the work alone. */
  public <T, E extends Exception> T alone(Work<T, E> work) throws E, InterruptedException {
    freed.await(() -> taken.compareAndSet(false, true));
    try {
      return work.run();
    } finally {
      taken.set(false);
      freed.raise();
    }
  }
}
