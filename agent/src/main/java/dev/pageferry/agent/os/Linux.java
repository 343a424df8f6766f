package dev.pageferry.agent.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/** mmap(2), munmap(2), madvise(2), clock_gettime(2), getpriority(2) and setpriority(2), called through the foreign function interface. */
public final class Linux {
  /** Use huge pages for this range where there are any. */
  public static final int MADV_HUGEPAGE = 14;
  /** Fault in every page of this range, writable, now (Linux 5.14). */
  public static final int MADV_POPULATE_WRITE = 23;

  public static final int ENOMEM = 12;
  public static final int EINVAL = 22;

  private static final int PROT_READ_WRITE = 0x1 | 0x2;
  private static final int MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x02 | 0x20 | 0x4000;
  private static final int CLOCK_BOOTTIME = 7;
  private static final int PRIO_PROCESS = 0;
  private static final int LOWEST_PRIORITY = 19;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO = CALL_STATE.varHandle(StructLayout.PathElement.groupElement("errno"));
  private static final Linker.Option CAPTURE_ERRNO = Linker.Option.captureCallState("errno");

  private static final MethodHandle MMAP = function("mmap",
      FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG), CAPTURE_ERRNO);
  private static final MethodHandle MUNMAP = function("munmap", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG));
  private static final MethodHandle MADVISE = function("madvise",
      FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT), CAPTURE_ERRNO);
  private static final MethodHandle CLOCK_GETTIME = function("clock_gettime",
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
  private static final MethodHandle GETPRIORITY = function("getpriority",
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle SETPRIORITY = function("setpriority",
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));

  private Linux() {
  }

  /** What the kernel answered to a failed call. */
  public static final class KernelException extends Exception {
    private static final long serialVersionUID = 1L;
    private final int errno;

    KernelException(String call, int errno) {
      super("%s failed with errno %d".formatted(call, errno));
      this.errno = errno;
    }

    public int errno() {
      return errno;
    }
  }

  /**
   * Maps private anonymous memory, zero-filled, not yet backed. It is unmapped when the arena closes.
   *
   * @param bytes size, a positive multiple of the kernel's page size
   */
  public static MemorySegment map(long bytes, Arena arena) throws KernelException {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment state = call.allocate(CALL_STATE);
      MemorySegment address = (MemorySegment) MMAP.invokeExact(state, MemorySegment.NULL, bytes, PROT_READ_WRITE,
          MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0L);
      if (address.address() == -1L) {
        throw new KernelException("mmap of %d bytes".formatted(bytes), (int) ERRNO.get(state, 0L));
      }
      return address.reinterpret(bytes, arena, Linux::unmap);
    } catch (KernelException e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("mmap could not be called", e);
    }
  }

  /** Advises the kernel on a range of a mapping. */
  public static void advise(MemorySegment range, int advice) throws KernelException {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment state = call.allocate(CALL_STATE);
      int result = (int) MADVISE.invokeExact(state, range, range.byteSize(), advice);
      if (result != 0) {
        throw new KernelException("madvise(%d) of %d bytes".formatted(advice, range.byteSize()),
            (int) ERRNO.get(state, 0L));
      }
    } catch (KernelException e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("madvise could not be called", e);
    }
  }

  /** Nanoseconds since boot on CLOCK_BOOTTIME, which runs on while the machine is suspended. */
  public static long bootTimeNanos() {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment timespec = call.allocate(JAVA_LONG, 2);
      int result = (int) CLOCK_GETTIME.invokeExact(CLOCK_BOOTTIME, timespec);
      if (result != 0) {
        throw new AssertionError("CLOCK_BOOTTIME is not available");
      }
      return timespec.getAtIndex(JAVA_LONG, 0) * 1_000_000_000L + timespec.getAtIndex(JAVA_LONG, 1);
    } catch (Throwable e) {
      throw new AssertionError("clock_gettime could not be called", e);
    }
  }

  /**
   * Has a thread let others run first.
   *
   * @param thread its id; 0: the calling thread
   * @param nice is added to what it has, up to 19
   * @return whether it is so
   */
  public static boolean addNice(int thread, int nice) {
    try {
      // -1 is a nice value, too, and not told from a failure: setpriority then says whether the thread is there.
      int now = (int) GETPRIORITY.invokeExact(PRIO_PROCESS, thread);
      return (int) SETPRIORITY.invokeExact(PRIO_PROCESS, thread, Math.min(LOWEST_PRIORITY, now + nice)) == 0;
    } catch (Throwable e) {
      throw new AssertionError("setpriority could not be called", e);
    }
  }

  private static void unmap(MemorySegment mapping) {
    try {
      int result = (int) MUNMAP.invokeExact(mapping, mapping.byteSize());
      if (result != 0) {
        throw new AssertionError("munmap of %d bytes failed".formatted(mapping.byteSize()));
      }
    } catch (Throwable e) {
      throw new AssertionError("munmap could not be called", e);
    }
  }

  private static MethodHandle function(String name, FunctionDescriptor descriptor, Linker.Option... options) {
    MemorySegment address = LINKER.defaultLookup().find(name)
        .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no " + name));
    return LINKER.downcallHandle(address, descriptor, options);
  }
}
