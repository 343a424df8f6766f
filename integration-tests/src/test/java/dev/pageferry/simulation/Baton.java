package dev.pageferry.simulation;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Lets one simulated thread run at a time. Whoever comes to a blocking call gives the baton up: the seed chooses who takes it,
 * and where nobody can go on the time moves to the next event. Choosing, and what happens without a thread, is done by the
 * thread that gives the baton up, so that a change of threads is one wake-up.
 *
 * <p>Nothing here is locked: all of it belongs to the holder of the baton. {@link #holder} publishes it to the next one.
 */
final class Baton {
  /** A thread that waits outside of a port for so long, in real time, waits for ever. */
  private static final Duration WATCHDOG = Duration.ofSeconds(20);
  /** Doing something takes up to this long, so that no loop is for ever at one moment. */
  private static final int LONGEST_STEP_NANOS = 20_000;

  /** Something that happens at a time, without a thread. */
  static final class Event {
    private final long nanos;
    private final long number;
    private final String who;
    private final String what;
    private final Runnable action;
    private boolean cancelled;

    Event(long nanos, long number, String who, String what, Runnable action) {
      this.nanos = nanos;
      this.number = number;
      this.who = who;
      this.what = what;
      this.action = action;
    }
  }

  private final SplittableRandom random;
  private final Trace trace = new Trace();
  private final PriorityQueue<Event> events = new PriorityQueue<>(
      Comparator.<Event>comparingLong(each -> each.nanos).thenComparingLong(each -> each.number));
  private final List<SimulatedTask> runnable = new ArrayList<>();
  private final List<SimulatedTask> tasks = new ArrayList<>();
  private final List<SimulatedScheduler> hosts = new ArrayList<>();
  private final CountDownLatch over = new CountDownLatch(1);
  private long nowNanos;
  private long endNanos = Long.MAX_VALUE;
  private long eventCount;
  private boolean inEvent;
  private Duration watchdog = WATCHDOG;
  private boolean stopped;
  private Runnable check = () -> {
  };
  private volatile @Nullable SimulatedTask holder;
  private final AtomicLong turns = new AtomicLong();
  private volatile @Nullable Throwable failure;

  Baton(long seed) {
    random = new SplittableRandom(seed);
  }

  /** Chance of its own for a part of the world, which draws no more or less when another part changes. */
  SplittableRandom newRandom() {
    return random.split();
  }

  SimulatedScheduler newHost(String name, double rate) {
    SimulatedScheduler host = new SimulatedScheduler(this, name, rate, random.nextLong(1L << 50));
    hosts.add(host);
    return host;
  }

  /** What must hold after every event; it throws if it does not. */
  void check(Runnable invariant) {
    check = invariant;
  }

  void watchdog(Duration realTime) {
    watchdog = realTime;
  }

  long nanos() {
    return nowNanos;
  }

  Trace trace() {
    return trace;
  }

  void trace(String who, String what) {
    trace.line(nowNanos, who, what);
  }

  /**
   * Runs what was started until nothing is left to happen, somebody {@linkplain #stop stops} the world, or its time is over.
   * Then every thread is unwound.
   *
   * @throws AssertionError with what went wrong in any thread or event
   */
  void run(Duration longest) throws InterruptedException {
    endNanos = longest.toNanos();
    pass(choose());
    long seen = -1;
    while (!over.await(watchdog.toMillis(), TimeUnit.MILLISECONDS)) {
      if (turns.get() == seen) {
        throw stuck();
      }
      seen = turns.get();
    }
    Throwable cause = failure;
    if (cause != null) {
      throw new AssertionError("%s%n  %s".formatted(cause, String.join("\n  ", trace.last())), cause);
    }
  }

  private AssertionError stuck() {
    SimulatedTask task = holder;
    if (task == null) {
      return new AssertionError("the simulation stands, and nobody has the baton");
    }
    AssertionError error = new AssertionError(
        "%s waits outside of a port (%s)".formatted(task.name(), task.thread().getState()));
    error.setStackTrace(task.thread().getStackTrace());
    return error;
  }

  /** Ends the world. */
  void stop() {
    stopped = true;
    hosts.stream().filter(each -> !each.isSealed()).forEach(SimulatedScheduler::kill);
  }

  void fail(Throwable cause) {
    if (failure == null) {
      failure = cause;
      trace("world", "failed: " + cause);
    }
  }

  boolean hasFailed() {
    return failure != null;
  }

  Event at(long nanos, String who, String what, Runnable action) {
    Event event = new Event(nanos, eventCount++, who, what, action);
    events.add(event);
    return event;
  }

  void add(SimulatedTask task) {
    tasks.add(task);
    runnable.add(task);
  }

  SimulatedTask running() {
    SimulatedTask task = holder;
    if (task == null || task.thread() != Thread.currentThread() || inEvent) {
      throw new IllegalStateException("%s is no task of the simulation, and may not block"
          .formatted(inEvent ? "an event" : Thread.currentThread()));
    }
    return task;
  }

  /** The host whose task has the baton; empty: it is an event. */
  String whoRuns() {
    SimulatedTask task = holder;
    return task == null || inEvent ? "" : task.host().name();
  }

  /** Gives the baton up until the signal is raised or the time is over. */
  void park(SimulatedScheduler host, SimulatedScheduler.@Nullable SimulatedSignal signal, long waitNanos)
      throws InterruptedException {
    SimulatedTask self = running();
    host.requireAlive();
    self.host().requireAlive();
    if (Thread.interrupted()) {
      throw new InterruptedException();
    }
    self.state = SimulatedTask.State.WAITING;
    if (signal != null) {
      signal.add(self);
      self.signal = signal;
    }
    if (waitNanos < Long.MAX_VALUE / 4) {
      self.timer = at(nowNanos + waitNanos, self.name(), "its time is over", () -> wake(self));
    }
    pass(choose());
    while (holder != self) {
      LockSupport.park(this);
      // Others interrupt through the task, whose flag is looked at below; this thread's own one was clear.
    }
    self.host().requireAlive();
    if (self.interrupted) {
      self.interrupted = false;
      throw new InterruptedException();
    }
  }

  /** As {@link #park} for a time, for calls that an interrupt does not end. */
  void pause(SimulatedScheduler host, long waitNanos) {
    long end = nowNanos + waitNanos;
    boolean interrupted = false;
    while (nowNanos < end) {
      interrupted |= Thread.interrupted();
      try {
        park(host, null, end - nowNanos);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  void interrupt(SimulatedTask task) {
    if (task.thread() == Thread.currentThread() && !inEvent) {
      task.thread().interrupt();
      return;
    }
    trace(task.name(), "interrupted");
    task.interrupted = true;
    wake(task);
  }

  /** The host is dead: whatever the task waits for, it goes on only to unwind. */
  void unwind(SimulatedTask task) {
    wake(task);
  }

  private void wake(SimulatedTask task) {
    if (task.state != SimulatedTask.State.WAITING) {
      return;
    }
    if (task.signal != null) {
      task.signal.remove(task);
      task.signal = null;
    }
    if (task.timer != null) {
      task.timer.cancelled = true;
      task.timer = null;
    }
    task.state = SimulatedTask.State.RUNNABLE;
    runnable.add(task);
  }

  void wakeAll(List<SimulatedTask> waiting) {
    List.copyOf(waiting).forEach(this::wake);
  }

  /** A task's life, on its own thread. */
  void runs(SimulatedTask self, Runnable body) {
    try {
      if (self.interrupted) {
        self.interrupted = false;
        self.thread().interrupt();
      }
      if (!self.host().isSealed()) {
        body.run();
      }
    } catch (HostKilled e) {
      // As it should be.
    } catch (Throwable e) {
      fail(new AssertionError("task %s died of %s".formatted(self.name(), e), e));
    }
    boolean unused = Thread.interrupted();
    tasks.remove(self);
    self.end();
    pass(choose());
  }

  private void pass(@Nullable SimulatedTask next) {
    turns.incrementAndGet();
    holder = next;
    if (next == null) {
      over.countDown();
    } else if (!next.started) {
      next.started = true;
      next.thread().start();
    } else if (next.thread() != Thread.currentThread()) {
      LockSupport.unpark(next.thread());
    }
  }

  /** @return null once all has ended */
  private @Nullable SimulatedTask choose() {
    while (true) {
      if (!stopped) {
        look();
      }
      if (stopped || failure != null) {
        if (!stopped) {
          stop();
        }
        return runnable.isEmpty() ? null : taken(runnable.removeFirst());
      }
      List<SimulatedTask> ready = ready();
      Event next = nextEvent();
      boolean isDue = next != null && next.nanos <= nowNanos;
      if (!ready.isEmpty() && !(isDue && random.nextBoolean())) {
        SimulatedTask task = ready.get(random.nextInt(ready.size()));
        runnable.remove(task);
        nowNanos += random.nextInt(LONGEST_STEP_NANOS);
        trace(task.name(), "goes on");
        return taken(task);
      }
      if (next == null) {
        fail(new AssertionError("nothing can happen any more; waiting: " + tasks.stream()
            .filter(SimulatedTask::isAlive).map(SimulatedTask::name).toList()));
      } else if (next.nanos > endNanos) {
        fail(new AssertionError("the world did not come to its end in %s".formatted(Duration.ofNanos(endNanos))));
      } else {
        events.remove(next);
        happen(next);
      }
    }
  }

  private List<SimulatedTask> ready() {
    for (SimulatedTask each : runnable) {
      if (each.host().isFrozen()) {
        return runnable.stream().filter(task -> !task.host().isFrozen()).toList();
      }
    }
    return runnable;
  }

  private static SimulatedTask taken(SimulatedTask task) {
    task.state = SimulatedTask.State.RUNNING;
    return task;
  }

  private @Nullable Event nextEvent() {
    while (!events.isEmpty() && events.peek().cancelled) {
      events.poll();
    }
    return events.peek();
  }

  private void happen(Event event) {
    nowNanos = Math.max(nowNanos, event.nanos);
    trace(event.who, event.what);
    inEvent = true;
    try {
      event.action.run();
    } catch (HostKilled e) {
      // It was of a host that is dead.
    } catch (Throwable e) {
      fail(new AssertionError("event '%s' of %s failed: %s".formatted(event.what, event.who, e), e));
    } finally {
      inEvent = false;
    }
  }

  private void look() {
    inEvent = true;
    try {
      check.run();
    } catch (Throwable e) {
      fail(e);
    } finally {
      inEvent = false;
    }
  }
}
