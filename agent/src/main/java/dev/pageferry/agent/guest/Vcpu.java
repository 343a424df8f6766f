package dev.pageferry.agent.guest;

import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.memory.VcpuDirtyLog;
import dev.pageferry.common.time.Ticker;
import java.util.concurrent.locks.LockSupport;

/**
 * One virtual processor: a thread that runs its program step by step. It polls the dirty log and the pause gate between
 * chunks of steps, and every wait of its own is a parked region of the log.
 */
final class Vcpu {
  /** Steps between two polls: a few microseconds, so that a harvest or a pause does not wait long. */
  private static final int STEPS_PER_POLL = 256;

  private final GuestProgram program;
  private final Registers registers;
  private final PageStore ram;
  private final VcpuDirtyLog dirtyLog;
  private final Pacer pacer;
  private final Ticker ticker;
  private final Thread thread;

  private final Object gate = new Object();
  /** Guarded by {@link #gate}. */
  private boolean standing;
  private volatile boolean held = true;
  private volatile boolean ended;
  private volatile long stepsDone;
  private volatile long firstStepNanos;

  Vcpu(String name, GuestProgram program, Registers registers, PageStore ram, VcpuDirtyLog dirtyLog,
      double stepsPerSecond,
      Ticker ticker) {
    this.program = program;
    this.registers = registers;
    this.ram = ram;
    this.dirtyLog = dirtyLog;
    this.pacer = new Pacer(stepsPerSecond, ticker);
    this.ticker = ticker;
    this.stepsDone = registers.get(Registers.PROGRAM_COUNTER);
    this.thread = Thread.ofPlatform().name(name).daemon().start(this::run);
  }

  private void run() {
    try {
      runProgram();
    } finally {
      // However the thread ends, nobody may wait for it any more: not a harvest, not a pause.
      dirtyLog.park();
      synchronized (gate) {
        standing = true;
        gate.notifyAll();
      }
    }
  }

  private void runProgram() {
    standAtGate();
    while (!ended) {
      if (held) {
        standAtGate();
        continue;
      }
      dirtyLog.poll();
      int steps = pacer.allowance(STEPS_PER_POLL);
      if (steps > 0) {
        program.run(registers, ram, dirtyLog.words(), steps);
        pacer.done(steps);
        stepsDone = registers.get(Registers.PROGRAM_COUNTER);
        if (firstStepNanos == 0) {
          noteFirstStep();
        }
      } else {
        waitForDueStep();
      }
    }
  }

  private void standAtGate() {
    dirtyLog.park();
    synchronized (gate) {
      standing = true;
      gate.notifyAll();
      while (held && !ended) {
        try {
          gate.wait();
        } catch (InterruptedException e) {
          ended = true;
        }
      }
      standing = false;
    }
    pacer.restart();
    dirtyLog.unpark();
  }

  private void waitForDueStep() {
    dirtyLog.park();
    // hold() sets the flag before it unparks this thread, so that a pause does not wait for a slow program's next step.
    if (!held && !ended) {
      LockSupport.parkNanos(pacer.waitNanos());
    }
    dirtyLog.unpark();
  }

  private void noteFirstStep() {
    synchronized (gate) {
      firstStepNanos = ticker.nanos();
      gate.notifyAll();
    }
  }

  /** Asks the vCPU to stand at its gate; {@link #awaitStanding} waits for it. */
  void hold() {
    held = true;
    LockSupport.unpark(thread);
  }

  /** Waits until the vCPU stands still. From then on its registers and its stores are visible to the caller. */
  void awaitStanding() throws InterruptedException {
    synchronized (gate) {
      while (!standing) {
        gate.wait();
      }
    }
  }

  /** Lets the vCPU run. */
  void letGo() {
    synchronized (gate) {
      firstStepNanos = 0;
      held = false;
      gate.notifyAll();
    }
  }

  /**
   * Waits for the first step after {@link #letGo()}.
   *
   * @return its time on the ticker, or 0 if there was none within the wait
   */
  long awaitFirstStep(long waitMillis) throws InterruptedException {
    long deadline = System.nanoTime() + waitMillis * 1_000_000;
    synchronized (gate) {
      while (firstStepNanos == 0) {
        long left = (deadline - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          return 0;
        }
        gate.wait(left);
      }
      return firstStepNanos;
    }
  }

  void throttle(int percent) {
    pacer.throttle(percent);
  }

  /** Ends the thread and waits for it. The registers keep their last values. */
  void end() throws InterruptedException {
    synchronized (gate) {
      ended = true;
      gate.notifyAll();
    }
    LockSupport.unpark(thread);
    thread.join();
  }

  /** Steps done, as of a moment ago. */
  long steps() {
    return stepsDone;
  }

  /** The registers; only while the vCPU stands. */
  Registers registers() {
    return registers;
  }
}
