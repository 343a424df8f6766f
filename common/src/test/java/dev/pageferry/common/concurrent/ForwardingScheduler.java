package dev.pageferry.common.concurrent;

import java.time.Duration;

/** The system's scheduler, for tests that change a part of it. */
public abstract class ForwardingScheduler implements Scheduler {
  @Override
  public long nanos() {
    return SYSTEM.nanos();
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
