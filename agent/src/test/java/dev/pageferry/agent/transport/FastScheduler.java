package dev.pageferry.agent.transport;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.concurrent.Task;
import java.time.Duration;

/** The system's scheduler under a clock that is fast, so that what is measured seems to take long; waits are no shorter. */
final class FastScheduler implements Scheduler {
  private final int factor;

  FastScheduler(int factor) {
    this.factor = factor;
  }

  @Override
  public long nanos() {
    return factor * SYSTEM.nanos();
  }

  @Override
  public long wallMillis() {
    return SYSTEM.wallMillis();
  }

  @Override
  public void sleep(Duration duration) throws InterruptedException {
    SYSTEM.sleep(duration);
  }

  @Override
  public Task start(String name, Runnable body) {
    return SYSTEM.start(name, body);
  }

  @Override
  public Task startBlocking(String name, Runnable body) {
    return SYSTEM.startBlocking(name, body);
  }

  @Override
  public Task current() {
    return SYSTEM.current();
  }

  @Override
  public Signal newSignal() {
    return SYSTEM.newSignal();
  }
}
