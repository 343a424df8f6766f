package dev.pageferry.simulation;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.concurrent.Task;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.function.BooleanSupplier;

/** The threads and clocks of one simulated host, or of another process that lives and dies on its own. */
final class SimulatedScheduler implements Scheduler {
  private static final long EPOCH_MILLIS = 1_750_000_000_000L;

  private final Baton baton;
  private final String name;
  private final double rate;
  private final long originNanos;
  private final List<SimulatedTask> tasks = new ArrayList<>();
  private boolean sealed;
  private boolean frozen;
  /** What cards and timers would have done while the host was frozen. */
  private final List<Runnable> missed = new ArrayList<>();

  /** @param rate how fast this host's clock runs: 1 is right */
  SimulatedScheduler(Baton baton, String name, double rate, long originNanos) {
    this.baton = baton;
    this.name = name;
    this.rate = rate;
    this.originNanos = originNanos;
  }

  String name() {
    return name;
  }

  @Override
  public long nanos() {
    return originNanos + (long) (baton.nanos() * rate);
  }

  @Override
  public long wallMillis() {
    return EPOCH_MILLIS + (long) (baton.nanos() * rate) / 1_000_000;
  }

  /** How long a time of this host's clock is in the world. */
  long worldNanos(Duration duration) {
    long nanos = duration.compareTo(Signal.FOR_EVER) >= 0 ? Signal.FOR_EVER.toNanos() : duration.toNanos();
    return Math.clamp((long) (nanos / rate), 0, Signal.FOR_EVER.toNanos());
  }

  @Override
  public void sleep(Duration duration) throws InterruptedException {
    baton.park(this, null, worldNanos(duration));
  }

  @Override
  public Task start(String taskName, Runnable body) {
    SimulatedTask task = new SimulatedTask(baton, this, taskName, body);
    if (sealed) {
      task.state = SimulatedTask.State.ENDED;
    } else {
      tasks.removeIf(each -> !each.isAlive());
      tasks.add(task);
      baton.add(task);
    }
    return task;
  }

  @Override
  public Task startBlocking(String taskName, Runnable body) {
    return start(taskName, body);
  }

  @Override
  public Task current() {
    return baton.running();
  }

  @Override
  public SimulatedSignal newSignal() {
    return new SimulatedSignal();
  }

  /** Ends the host as a power cut does: nothing that its threads still do has effects. */
  void kill() {
    sealed = true;
    baton.trace(name, "killed");
    List.copyOf(tasks).forEach(baton::unwind);
  }

  boolean isSealed() {
    return sealed;
  }

  /** Every port of this host asks first. */
  void requireAlive() {
    if (sealed) {
      throw new HostKilled(name);
    }
  }

  /** Stops all threads of the host where they are, its clocks running on; or lets them go on. */
  void freeze(boolean stop) {
    frozen = stop;
    baton.trace(name, stop ? "frozen" : "thawed");
    if (!stop) {
      List<Runnable> now = List.copyOf(missed);
      missed.clear();
      now.forEach(each -> baton.at(baton.nanos(), name, "what was missed", () -> unlessFrozen(each)));
    }
  }

  boolean isFrozen() {
    return frozen;
  }

  /**
   * Does something later, without a thread: what a vCPU, a card or a timer does. It must not block, ends with the host, and waits
   * while that is frozen.
   */
  void later(Duration delay, String what, Runnable action) {
    baton.at(baton.nanos() + worldNanos(delay), name, what, () -> unlessFrozen(action));
  }

  private void unlessFrozen(Runnable action) {
    if (sealed) {
      return;
    }
    if (frozen) {
      missed.add(action);
    } else {
      action.run();
    }
  }

  /** Tasks that have not ended. */
  List<SimulatedTask> alive() {
    return tasks.stream().filter(SimulatedTask::isAlive).toList();
  }

  @Override
  public ReadWriteLock newReadWriteLock() {
    return new SimulatedReadWriteLock(this);
  }

  /** An event count whose waiters are woken in an order that the seed decides. */
  final class SimulatedSignal implements Signal {
    private final List<SimulatedTask> waiting = new ArrayList<>();

    @Override
    public boolean await(BooleanSupplier condition, Duration atMost) throws InterruptedException {
      long left = worldNanos(atMost);
      long end = baton.nanos() + left;
      requireAlive();
      while (!condition.getAsBoolean()) {
        if (left <= 0) {
          return false;
        }
        baton.park(SimulatedScheduler.this, this, left);
        left = end - baton.nanos();
      }
      return true;
    }

    @Override
    public void raise() {
      baton.wakeAll(waiting);
    }

    void add(SimulatedTask task) {
      waiting.add(task);
    }

    void remove(SimulatedTask task) {
      waiting.remove(task);
    }
  }
}
