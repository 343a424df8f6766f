package dev.pageferry.simulation;

import dev.pageferry.common.concurrent.Task;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A thread of the simulated world: a virtual thread that runs only while it has the baton. Its state belongs to the baton. */
final class SimulatedTask implements Task {
  /** Whether it has the baton, could take it, waits for something, or has ended. */
  enum State {
    RUNNABLE,
    RUNNING,
    WAITING,
    ENDED
  }

  private final Baton baton;
  private final SimulatedScheduler host;
  private final String name;
  private final Thread thread;
  private final SimulatedScheduler.SimulatedSignal ended;
  State state = State.RUNNABLE;
  boolean started;
  boolean interrupted;
  /** What it waits for, besides time. */
  SimulatedScheduler.@Nullable SimulatedSignal signal;
  Baton.@Nullable Event timer;

  SimulatedTask(Baton baton, SimulatedScheduler host, String name, Runnable body) {
    this.baton = baton;
    this.host = host;
    this.name = host.name() + "/" + name;
    this.ended = host.newSignal();
    this.thread = Thread.ofVirtual().name(this.name).unstarted(() -> baton.runs(this, body));
  }

  SimulatedScheduler host() {
    return host;
  }

  String name() {
    return name;
  }

  Thread thread() {
    return thread;
  }

  void end() {
    state = State.ENDED;
    ended.raise();
  }

  @Override
  public void interrupt() {
    baton.interrupt(this);
  }

  @Override
  public boolean clearInterrupt() {
    if (thread != Thread.currentThread()) {
      throw new IllegalStateException("the interrupt of another task");
    }
    // From itself it is on the thread; from others it is here.
    boolean was = Thread.interrupted() || interrupted;
    interrupted = false;
    return was;
  }

  @Override
  public boolean isAlive() {
    return state != State.ENDED;
  }

  @Override
  public boolean join(Duration atMost) throws InterruptedException {
    return ended.await(() -> state == State.ENDED, atMost);
  }
}
