package dev.pageferry.agent.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Whether somebody has a file locked by flock(2), which the JDK does not offer: its own locks are those of fcntl(2), which end with the
 * process that took them and are not inherited.
 */
public final class HeldLock {
  private static final int LOCK_SH_NB = 1 | 4;
  private static final int EWOULDBLOCK = 11;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO = CALL_STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
  private static final MethodHandle FLOCK = LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow("flock"),
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT), Linker.Option.captureCallState("errno"));

  private HeldLock() {
  }

  /**
   * Whether a process has an exclusive lock of the file. Several may look at once.
   *
   * @return false also where there is no such file
   */
  public static boolean isHeld(Path file) throws IOException {
    if (Files.notExists(file)) {
      // What cannot be told is an error below.
      return false;
    }
    // The lock ends with the descriptor.
    int descriptor = DataExtents.open(file);
    try (Arena call = Arena.ofConfined()) {
      MemorySegment state = call.allocate(CALL_STATE);
      if ((int) FLOCK.invokeExact(state, descriptor, LOCK_SH_NB) == 0) {
        return false;
      }
      int errno = (int) ERRNO.get(state, 0L);
      if (errno == EWOULDBLOCK) {
        return true;
      }
      throw new IOException("flock of %s failed with errno %d".formatted(file, errno));
    } catch (IOException e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("flock could not be called", e);
    } finally {
      DataExtents.close(descriptor);
    }
  }
}
