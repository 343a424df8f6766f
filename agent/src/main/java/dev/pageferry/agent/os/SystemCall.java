package dev.pageferry.agent.os;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/** System calls of Linux on x86-64 by their numbers. Source: the kernel's {@code arch/x86/entry/syscalls/syscall_64.tbl}. */
final class SystemCall {
  static final int IOCTL = 16;
  static final int PREAD64 = 17;
  static final int WAIT4 = 61;
  static final int PTRACE = 101;
  static final int USERFAULTFD = 323;
  static final int PIDFD_OPEN = 434;
  static final int PIDFD_GETFD = 438;

  private static final int MOST_ARGUMENTS = 5;
  private static final Linker LINKER = Linker.nativeLinker();
  private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO = CALL_STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
  private static final MethodHandle SYSCALL = LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow("syscall"),
      FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
      Linker.Option.firstVariadicArg(1), Linker.Option.captureCallState("errno"));

  private SystemCall() {
  }

  /** Whether these numbers mean something here. */
  static boolean isKnownHere() {
    return System.getProperty("os.name", "").equals("Linux") && System.getProperty("os.arch", "").equals("amd64");
  }

  /**
   * Makes one.
   *
   * @param name for the message of a failure
   * @param arguments up to {@value #MOST_ARGUMENTS}
   */
  static long make(String name, int number, long... arguments) throws Linux.KernelException {
    long[] all = Arrays.copyOf(arguments, MOST_ARGUMENTS);
    try (Arena call = Arena.ofConfined()) {
      MemorySegment state = call.allocate(CALL_STATE);
      long result = (long) SYSCALL.invokeExact(state, (long) number, all[0], all[1], all[2], all[3], all[4]);
      if (result == -1) {
        throw new Linux.KernelException(name, (int) ERRNO.get(state, 0L));
      }
      return result;
    } catch (Linux.KernelException e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("syscall could not be called", e);
    }
  }
}
