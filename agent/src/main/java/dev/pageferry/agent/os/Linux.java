package dev.pageferry.agent.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.time.Duration;

/** mmap(2), munmap(2), madvise(2), clock_gettime(2), setpriority(2) and sched_setattr(2), called through the foreign function interface. */
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
  private static final int SCHED_OTHER = 0;
  private static final long NO_SUCH_CALL = -1;
  /** The C library has no name for it before glibc 2.41. */
  private static final long SCHED_SETATTR = switch (System.getProperty("os.arch", "")) {
    case "amd64" -> 314;
    case "aarch64", "riscv64" -> 274;
    default -> NO_SUCH_CALL;
  };
  /** The first version of struct sched_attr, which every kernel that has the call knows. */
  private static final StructLayout SCHED_ATTR = MemoryLayout.structLayout(JAVA_INT.withName("size"),
      JAVA_INT.withName("policy"), JAVA_LONG.withName("flags"), JAVA_INT.withName("nice"),
      JAVA_INT.withName("priority"), JAVA_LONG.withName("runtime"), JAVA_LONG.withName("deadline"),
      JAVA_LONG.withName("period"));

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
  private static final MethodHandle SYSCALL_OF_THREE = function("syscall",
      FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT), Linker.Option.firstVariadicArg(1));

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
  static boolean addNice(int thread, int nice) {
    try {
      // -1 is a nice value, too, and not told from a failure: setpriority then says whether the thread is there.
      int now = (int) GETPRIORITY.invokeExact(PRIO_PROCESS, thread);
      return (int) SETPRIORITY.invokeExact(PRIO_PROCESS, thread, Math.min(LOWEST_PRIORITY, now + nice)) == 0;
    } catch (Throwable e) {
      throw new AssertionError("setpriority could not be called", e);
    }
  }

  /**
   * Has a thread of ordinary priority make way as soon as one with a shorter time slice wakes up. Its share of a processor stays
   * what its nice value says (sched(7), since Linux 6.12; kernels before ignore the slice).
   *
   * @param thread its id; 0: the calling thread
   * @param slice 0.1 to 100 ms; the kernel's own is about 3 ms
   * @return whether the kernel took it
   */
  static boolean makeWay(int thread, Duration slice) {
    if (SCHED_SETATTR == NO_SUCH_CALL) {
      return false;
    }
    try (Arena call = Arena.ofConfined()) {
      MemorySegment attributes = call.allocate(SCHED_ATTR);
      set(attributes, "size", (int) SCHED_ATTR.byteSize());
      set(attributes, "policy", SCHED_OTHER);
      set(attributes, "nice", (int) GETPRIORITY.invokeExact(PRIO_PROCESS, thread));
      attributes.set(JAVA_LONG, SCHED_ATTR.byteOffset(StructLayout.PathElement.groupElement("runtime")),
          slice.toNanos());
      return (long) SYSCALL_OF_THREE.invokeExact(SCHED_SETATTR, thread, attributes, 0) == 0;
    } catch (Throwable e) {
      throw new AssertionError("sched_setattr could not be called", e);
    }
  }

  private static void set(MemorySegment struct, String field, int value) {
    struct.set(JAVA_INT, SCHED_ATTR.byteOffset(StructLayout.PathElement.groupElement(field)), value);
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
