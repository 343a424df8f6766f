package dev.pageferry.agent.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * Tells the kernel which parts of a file are going to be read soon: posix_fadvise(2) with {@code POSIX_FADV_WILLNEED}, which
 * the JDK does not offer. The kernel's own read-ahead is 128 KiB on many machines, too little to keep a fast disk busy.
 */
public final class ReadAhead implements AutoCloseable {
  private static final int POSIX_FADV_WILLNEED = 3;
  private static final MethodHandle POSIX_FADVISE = Linker.nativeLinker().downcallHandle(
      Linker.nativeLinker().defaultLookup().find("posix_fadvise").orElseThrow(),
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));

  private final int descriptor;

  private ReadAhead(int descriptor) {
    this.descriptor = descriptor;
  }

  public static ReadAhead open(Path file) throws IOException {
    return new ReadAhead(DataExtents.open(file));
  }

  /** Bytes [offset, offset + length) are going to be read. Only a hint: whether it is taken makes no difference but in time. */
  public void willNeed(long offset, long length) {
    try {
      int _ = (int) POSIX_FADVISE.invokeExact(descriptor, offset, length, POSIX_FADV_WILLNEED);
    } catch (Throwable e) {
      throw new AssertionError("posix_fadvise could not be called", e);
    }
  }

  @Override
  public void close() {
    DataExtents.close(descriptor);
  }
}
