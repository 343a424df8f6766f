package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskSet;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.memory.VcpuDirtyLog;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One virtual processor: a thread that runs its program step by step. It polls the dirty log and the pause gate between
 * chunks of steps, and every wait of its own is a parked region of the log.
 */
final class Vcpu {
  /** Steps between two polls: a few microseconds, so that a harvest or a pause does not wait long. */
  private static final int STEPS_PER_POLL = 256;
  /** How often a vCPU that may not run asks again. */
  private static final long PERMISSION_POLL_NANOS = 5_000_000;
  /** How long a vCPU whose disk failed waits before it tries again. */
  private static final long RETRY_NANOS = 100_000_000;
  private static final Logger log = LoggerFactory.getLogger(Vcpu.class);

  private final GuestProgram program;
  private final Registers registers;
  private final PageStore ram;
  private final VcpuDirtyLog dirtyLog;
  private final Outside outside;
  private final Pacer pacer;
  private final Ticker ticker;
  private final Thread thread;

  private final Gate gate = new Gate();
  private volatile long stepsDone;
  private final Object firstStep = new Object();
  /** Written under {@link #firstStep}. */
  private volatile long firstStepNanos;
  /** The disk failed the last request. */
  private boolean inTrouble;

  /** What a vCPU reaches beyond its registers and RAM. */
  interface Outside {
    /** Whether this host may run guests right now. */
    boolean isPermitted();

    /** The VM's disks, where they are open. */
    @Nullable
    DiskSet disks();
  }

  Vcpu(String name, GuestProgram program, Registers registers, PageStore ram, VcpuDirtyLog dirtyLog, Outside outside,
      double stepsPerSecond, Ticker ticker) {
    this.program = program;
    this.outside = outside;
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
      gate.leave();
    }
  }

  private void runProgram() {
    pauseAtGate();
    while (!gate.isEnded()) {
      if (gate.isHeld()) {
        pauseAtGate();
        continue;
      }
      dirtyLog.poll();
      int steps = pacer.allowance(STEPS_PER_POLL);
      if (!outside.isPermitted()) {
        waitParked(PERMISSION_POLL_NANOS);
      } else if (steps > 0) {
        run(steps);
      } else {
        waitParked(pacer.waitNanos());
      }
    }
  }

  private void run(int steps) {
    int done = program.run(registers, ram, dirtyLog.words(), steps);
    if (done < steps) {
      done += diskStep();
    }
    pacer.done(done);
    stepsDone = registers.get(Registers.PROGRAM_COUNTER);
    if (firstStepNanos == 0 && done > 0) {
      noteFirstStep();
    }
  }

  /**
   * Does the one step that waits for a disk. Nothing of it is in flight once this returns, done or not; so whoever sees this
   * vCPU at its gate has the disk drained, too.
   *
   * @return 1, or 0 where the request cannot be carried out for now and is to be made again: the same bytes to the same
   *     place
   */
  private int diskStep() {
    DiskSet disks = outside.disks();
    if (disks == null) {
      waitParked(PERMISSION_POLL_NANOS);
      return 0;
    }
    DiskRequest request = program.nextRequest(registers, ram, disks.epoch());
    if (request == null) {
      return 0;
    }
    boolean done = true;
    dirtyLog.park();
    try {
      request.carryOut(disks.disk(request.disk()));
      if (inTrouble) {
        inTrouble = false;
        log.info("{}: its disk answers again", thread.getName());
      }
    } catch (IOException e) {
      done = false;
      if (!inTrouble) {
        inTrouble = true;
        log.warn("{} waits at step {} until its disk answers: {}", thread.getName(), stepsDone,
            IoFailure.sentence(e));
      }
    } finally {
      dirtyLog.unpark();
    }
    if (!done) {
      waitParked(RETRY_NANOS);
      return 0;
    }
    program.complete(registers, ram, dirtyLog.words(), request);
    return 1;
  }

  private void pauseAtGate() {
    dirtyLog.park();
    gate.pauseHere();
    pacer.restart();
    dirtyLog.unpark();
  }

  private void waitParked(long nanos) {
    dirtyLog.park();
    // hold() sets the flag before it unparks this thread, so that a pause does not wait for a slow program's next step.
    if (!gate.isHeld() && !gate.isEnded()) {
      LockSupport.parkNanos(nanos);
    }
    dirtyLog.unpark();
  }

  private void noteFirstStep() {
    synchronized (firstStep) {
      firstStepNanos = ticker.nanos();
      firstStep.notifyAll();
    }
  }

  /** Asks the vCPU to pause at its gate; {@link #awaitPaused} waits for it. */
  void hold() {
    gate.hold(thread);
  }

  /**
   * Waits until the vCPU is paused. From then on its registers and its stores are visible to the caller.
   *
   * @return false if it does not in time
   */
  boolean awaitPaused(Deadline deadline) throws InterruptedException {
    return gate.awaitPaused(deadline);
  }

  /** Lets the vCPU run. */
  void letGo() {
    // Ahead of the gate, or the first step could be noted and then forgotten.
    synchronized (firstStep) {
      firstStepNanos = 0;
    }
    gate.letGo();
  }

  /**
   * Waits for the first step after {@link #letGo()}.
   *
   * @return its time on the ticker, or 0 if there was none within the wait
   */
  long awaitFirstStep(long waitMillis) throws InterruptedException {
    long deadline = System.nanoTime() + waitMillis * 1_000_000;
    synchronized (firstStep) {
      while (firstStepNanos == 0) {
        long left = (deadline - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          return 0;
        }
        firstStep.wait(left);
      }
      return firstStepNanos;
    }
  }

  void throttle(int percent) {
    pacer.throttle(percent);
  }

  /** Ends the thread and waits for it. The registers keep their last values. */
  void end() {
    gate.end(thread);
  }

  /** Steps done, as of a moment ago. */
  long steps() {
    return stepsDone;
  }

  /** The registers; only while the vCPU is paused. */
  Registers registers() {
    return registers;
  }
}
