package dev.pageferry.common.supervision;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The service manager's end: a Unix domain socket for datagrams. */
final class LocalInbox implements AutoCloseable {
  private static final int AF_UNIX = 1;
  private static final int SOCK_DGRAM = 2;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int BYTES = 256;

  private final int descriptor;

  LocalInbox(String socket) throws Throwable {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment address = LocalDatagrams.address(socket, call);
      descriptor = (int) function("socket", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT))
          .invokeExact(AF_UNIX, SOCK_DGRAM, 0);
      int bound = (int) function("bind", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT))
          .invokeExact(descriptor, address, (int) address.byteSize());
      if (bound != 0) {
        throw new IllegalStateException("bind failed");
      }
    }
  }

  /** What has come since the last call. */
  List<String> read() throws Throwable {
    List<String> read = new ArrayList<>();
    try (Arena call = Arena.ofConfined()) {
      MemorySegment buffer = call.allocate(BYTES);
      MethodHandle receive = function("recv",
          FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
      while (true) {
        long bytes = (long) receive.invokeExact(descriptor, buffer, (long) BYTES, MSG_DONTWAIT);
        if (bytes < 0) {
          return read;
        }
        read.add(new String(buffer.asSlice(0, bytes).toArray(JAVA_BYTE), StandardCharsets.UTF_8));
      }
    }
  }

  @Override
  public void close() throws Exception {
    try {
      int closed = (int) function("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT)).invokeExact(descriptor);
      if (closed != 0) {
        throw new IllegalStateException("close failed");
      }
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  private static MethodHandle function(String name, FunctionDescriptor descriptor) {
    return Linker.nativeLinker().downcallHandle(Linker.nativeLinker().defaultLookup().find(name).orElseThrow(),
        descriptor);
  }
}
