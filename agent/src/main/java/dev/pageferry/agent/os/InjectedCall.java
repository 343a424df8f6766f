package dev.pageferry.agent.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.pageferry.agent.os.Linux.KernelException;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A system call that another process is made to make. Its main thread is stopped while it waits in a call of its own, steps with other
 * registers over the instruction that it waits in, and goes on with its own as if nothing had been. Sources: {@code ptrace(2)};
 * {@code user_regs_struct} in {@code sys/user.h}.
 *
 * <p>Until it has stopped it can be let go at any time. While its registers are not its own it cannot: whatever goes wrong then, the end of this
 * process included, is its end (PTRACE_O_EXITKILL). So this is only for a process with which nothing is lost yet. And not for a child of this one:
 * the JVM waits for those, and would take a stop for an end.
 */
final class InjectedCall {
  private static final Duration STOPS = Duration.ofSeconds(5);
  private static final Duration LOOK = Duration.ofNanos(100_000);
  private static final Duration BETWEEN_ATTEMPTS = Duration.ofMillis(5);
  private static final int ATTEMPTS = 100;
  /** Far more than all of the above together. */
  private static final Duration LONGEST = Duration.ofSeconds(60);

  private static final int SEIZE = 0x4206;
  private static final int SETOPTIONS = 0x4200;
  private static final int INTERRUPT = 0x4207;
  private static final int PEEKTEXT = 1;
  private static final int SINGLESTEP = 9;
  private static final int GETREGS = 12;
  private static final int SETREGS = 13;
  private static final int DETACH = 17;
  private static final int EXITKILL = 1 << 20;
  private static final int STEPS = 8;
  private static final int ETIMEDOUT = 110;
  private static final int WNOHANG_WALL = 1 | 0x40000000;

  private static final int REGISTERS = 27;
  private static final int RAX = 10;
  private static final int RDI = 14;
  private static final int ORIG_RAX = 15;
  private static final int RIP = 16;
  private static final int NO_CALL = -1;
  /** {@code syscall}, as the two bytes lie in memory. */
  private static final int INSTRUCTION = 0x050f;
  private static final int INSTRUCTION_BYTES = 2;
  private static final int INSTRUCTION_MASK = 0xffff;

  private final OsProcess process;
  private final int number;
  private final long argument;
  private final Scheduler scheduler;
  private final Arena arena;

  private InjectedCall(OsProcess process, int number, long argument, Scheduler scheduler, Arena arena) {
    this.process = process;
    this.number = number;
    this.argument = argument;
    this.scheduler = scheduler;
    this.arena = arena;
  }

  /**
   * Makes it.
   *
   * @return what the kernel answers there; empty if the process was never found waiting
   * @throws KernelException if it may not be made, fails, or the process does not stop for it; that is as it was
   * @throws IOException if the process has ended, or does for this
   */
  static OptionalLong make(OsProcess process, int number, long argument, Scheduler scheduler)
      throws KernelException, IOException, InterruptedException {
    Promise<OptionalLong> result = scheduler.newPromise();
    // One thread for all of it: the kernel knows a tracer by its thread.
    Task tracer = scheduler.startBlocking("inject-" + process.pid(), () -> {
      try (Arena arena = Arena.ofConfined()) {
        result.complete(new InjectedCall(process, number, argument, scheduler, arena).run());
      } catch (KernelException | IOException | InterruptedException | RuntimeException | Error e) {
        result.fail(e);
      }
    });
    boolean _ = tracer.join(LONGEST);
    Optional<OptionalLong> answer = result.now();
    if (answer.isPresent()) {
      return answer.get();
    }
    switch (result.failure().orElse(null)) {
      case KernelException e -> throw e;
      case IOException e -> throw e;
      case null -> throw new IOException("process %d is being traced for too long".formatted(process.pid()));
      case Throwable e -> throw new IOException("process %d was not traced: %s".formatted(process.pid(), e), e);
    }
  }

  private OptionalLong run() throws KernelException, IOException, InterruptedException {
    for (int i = 0; i < ATTEMPTS; i++) {
      OptionalLong answer = attempt();
      if (answer.isPresent()) {
        if (answer.getAsLong() < 0) {
          throw new KernelException("the call in process " + process.pid(), (int) -answer.getAsLong());
        }
        return answer;
      }
      scheduler.sleep(BETWEEN_ATTEMPTS);
    }
    return OptionalLong.empty();
  }

  private OptionalLong attempt() throws KernelException, IOException, InterruptedException {
    long _ = ptrace("PTRACE_SEIZE", SEIZE, 0, 0);
    long _ = ptrace("PTRACE_INTERRUPT", INTERRUPT, 0, 0);
    // One that does not stop, or another one of that number by now, goes on with the end of this thread.
    Stop stop = awaitStop().orElseThrow(() -> new KernelException("PTRACE_INTERRUPT", ETIMEDOUT));
    requireAlive();
    MemorySegment own = registers();
    if (stop.isInterrupt() && isInCall(own)) {
      long _ = ptrace("PTRACE_SETOPTIONS", SETOPTIONS, 0, EXITKILL);
      try {
        return stepped(own);
      } catch (KernelException e) {
        throw new IOException("process %d was lost while it was traced: %s".formatted(process.pid(), e.getMessage()),
            e);
      }
    }
    long _ = ptrace("PTRACE_DETACH", DETACH, 0, stop.undelivered());
    return OptionalLong.empty();
  }

  private void requireAlive() throws IOException {
    if (!process.isAlive()) {
      throw new IOException("process %d has ended".formatted(process.pid()));
    }
  }

  private OptionalLong stepped(MemorySegment own) throws KernelException, IOException, InterruptedException {
    setRegisters(ours(own));
    Stop stop;
    int undelivered = 0;
    int steps = 0;
    do {
      // Again where something else stopped it first, a SIGCONT for one: the trap of the step is not to be left to it.
      long _ = ptrace("PTRACE_SINGLESTEP", SINGLESTEP, 0, 0);
      stop = awaitStop().orElseThrow(() -> new IOException(
          "process %d did not stop within %d s".formatted(process.pid(), STOPS.toSeconds())));
      undelivered = Math.max(undelivered, stop.undelivered());
    } while (!stop.isStep() && ++steps < STEPS);
    MemorySegment after = registers();
    if (!stop.isStep() || get(after, RIP) != get(own, RIP)) {
      throw new IOException("process %d did not come out of the call".formatted(process.pid()));
    }
    setRegisters(own);
    long _ = ptrace("PTRACE_DETACH", DETACH, 0, undelivered);
    return OptionalLong.of(get(after, RAX));
  }

  private boolean isInCall(MemorySegment own) throws KernelException {
    if (get(own, ORIG_RAX) == NO_CALL) {
      return false;
    }
    MemorySegment word = arena.allocate(JAVA_LONG);
    long _ = ptrace("PTRACE_PEEKTEXT", PEEKTEXT, get(own, RIP) - INSTRUCTION_BYTES, word.address());
    return (word.get(JAVA_LONG, 0) & INSTRUCTION_MASK) == INSTRUCTION;
  }

  /** As of a thread that is about to make the call, and comes out of none that would have to be begun again. */
  private MemorySegment ours(MemorySegment own) {
    MemorySegment ours = arena.allocate(JAVA_LONG, REGISTERS).copyFrom(own);
    ours.setAtIndex(JAVA_LONG, RIP, get(own, RIP) - INSTRUCTION_BYTES);
    ours.setAtIndex(JAVA_LONG, RAX, number);
    ours.setAtIndex(JAVA_LONG, RDI, argument);
    ours.setAtIndex(JAVA_LONG, ORIG_RAX, NO_CALL);
    return ours;
  }

  private static long get(MemorySegment registers, int which) {
    return registers.getAtIndex(JAVA_LONG, which);
  }

  private MemorySegment registers() throws KernelException {
    MemorySegment registers = arena.allocate(JAVA_LONG, REGISTERS);
    long _ = ptrace("PTRACE_GETREGS", GETREGS, 0, registers.address());
    return registers;
  }

  private void setRegisters(MemorySegment registers) throws KernelException {
    long _ = ptrace("PTRACE_SETREGS", SETREGS, 0, registers.address());
  }

  private long ptrace(String name, int request, long address, long data) throws KernelException {
    return SystemCall.make(name, SystemCall.PTRACE, request, process.pid(), address, data);
  }

  /**
   * Why a traced thread does not run. Source: {@code ptrace(2)}, "Stopped states".
   *
   * @param status as of {@code wait4(2)}
   */
  private record Stop(int status) {
    private static final int STOPPED = 0x7f;
    private static final int SIGTRAP = 5;
    private static final int EVENT_STOP = 128;

    /** It has not ended. */
    boolean isStop() {
      return (status & 0xff) == STOPPED;
    }

    private int signal() {
      return status >> 8 & 0xff;
    }

    private int event() {
      return status >> 16;
    }

    boolean isInterrupt() {
      return event() == EVENT_STOP && signal() == SIGTRAP;
    }

    boolean isStep() {
      return event() == 0 && signal() == SIGTRAP;
    }

    /** A signal that is the thread's, and that it gets when it goes on; 0: none. */
    int undelivered() {
      return event() == 0 && signal() != SIGTRAP ? signal() : 0;
    }
  }

  /** Empty: it has not in time. */
  private Optional<Stop> awaitStop() throws KernelException, IOException, InterruptedException {
    MemorySegment status = arena.allocate(JAVA_INT);
    long end = scheduler.nanos() + STOPS.toNanos();
    while (SystemCall.make("wait4", SystemCall.WAIT4, process.pid(), status.address(), WNOHANG_WALL) == 0) {
      if (scheduler.nanos() > end) {
        return Optional.empty();
      }
      scheduler.sleep(LOOK);
    }
    Stop stop = new Stop(status.get(JAVA_INT, 0));
    if (!stop.isStop()) {
      throw new IOException("process %d has ended".formatted(process.pid()));
    }
    return Optional.of(stop);
  }
}
