package dev.pageferry.agent.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Where a sparse file has data: {@code SEEK_DATA} and {@code SEEK_HOLE} of lseek(2), which the JDK does not offer. What is
 * between two extents reads as zeros.
 */
public final class DataExtents {
  private static final int O_RDONLY_CLOEXEC = 0x80000;
  private static final int SEEK_DATA = 3;
  private static final int SEEK_HOLE = 4;
  private static final int ENXIO = 6;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO = CALL_STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
  private static final Linker.Option CAPTURE_ERRNO = Linker.Option.captureCallState("errno");

  private static final MethodHandle OPEN = function("open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
      CAPTURE_ERRNO, Linker.Option.firstVariadicArg(2));
  private static final MethodHandle LSEEK = function("lseek",
      FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT), CAPTURE_ERRNO);
  private static final MethodHandle CLOSE = function("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));

  private DataExtents() {
  }

  /** Bytes [offset, offset + length) of a file. */
  public record Extent(long offset, long length) {
  }

  /**
   * The parts of a file's first bytes that may hold something else than zeros, in order. All of them, where the file system
   * does not tell.
   */
  public static List<Extent> of(Path file, long bytes) throws IOException {
    int descriptor = open(file);
    try {
      List<Extent> extents = new ArrayList<>();
      for (long at = 0; at < bytes;) {
        long data = seek(descriptor, at, SEEK_DATA, file);
        if (data < 0 || data >= bytes) {
          break;
        }
        long hole = seek(descriptor, data, SEEK_HOLE, file);
        long end = hole < 0 ? bytes : Math.min(hole, bytes);
        extents.add(new Extent(data, end - data));
        at = end;
      }
      return extents;
    } finally {
      close(descriptor);
    }
  }

  static int open(Path file) throws IOException {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment state = call.allocate(CALL_STATE);
      int descriptor = (int) OPEN.invokeExact(state, call.allocateFrom(file.toString()), O_RDONLY_CLOEXEC);
      if (descriptor < 0) {
        throw new IOException("%s cannot be opened: errno %d".formatted(file, (int) ERRNO.get(state, 0L)));
      }
      return descriptor;
    } catch (IOException e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("open could not be called", e);
    }
  }

  /** @return -1 if there is nothing more of that kind */
  private static long seek(int descriptor, long from, int whence, Path file) throws IOException {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment state = call.allocate(CALL_STATE);
      long found = (long) LSEEK.invokeExact(state, descriptor, from, whence);
      if (found >= 0) {
        return found;
      }
      int errno = (int) ERRNO.get(state, 0L);
      if (errno == ENXIO) {
        return -1;
      }
      if (errno == Linux.EINVAL) {
        // A file system that does not tell: data everywhere.
        return whence == SEEK_DATA ? from : -1;
      }
      throw new IOException("lseek of %s from %d failed with errno %d".formatted(file, from, errno));
    } catch (IOException e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("lseek could not be called", e);
    }
  }

  static void close(int descriptor) {
    try {
      int _ = (int) CLOSE.invokeExact(descriptor);
    } catch (Throwable e) {
      throw new AssertionError("close could not be called", e);
    }
  }

  private static MethodHandle function(String name, FunctionDescriptor descriptor, Linker.Option... options) {
    MemorySegment address = LINKER.defaultLookup().find(name)
        .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no " + name));
    return LINKER.downcallHandle(address, descriptor, options);
  }
}
