package dev.pageferry.common.supervision;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;

/** Datagrams to a Unix domain socket (unix(7)), which the JDK does not have: socket(2), sendto(2) and close(2). */
final class LocalDatagrams {
  private static final short AF_UNIX = 1;
  private static final int SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_DONTWAIT = 0x40;
  /** Of struct sockaddr_un: the family, and a path with the zero behind it. */
  private static final int PATH_OFFSET = 2;
  private static final int PATH_BYTES = 108;
  /** What stands for the zero byte that begins an abstract address. */
  private static final String ABSTRACT = "@";

  private static final Linker LINKER = Linker.nativeLinker();
  private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO = CALL_STATE
      .varHandle(MemoryLayout.PathElement.groupElement("errno"));
  private static final MethodHandle SOCKET = function("socket",
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle SENDTO = function("sendto",
      FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle CLOSE = function("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));

  private LocalDatagrams() {
  }

  /**
   * Sends one, and does not wait where the receiver has too many unread.
   *
   * @param socket an absolute path, or {@code @} and the name of an abstract socket
   * @throws IOException if there is no such socket, nobody reads from it, or it has too many unread
   */
  static void send(String socket, String text) throws IOException {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment state = call.allocate(CALL_STATE);
      MemorySegment address = address(socket, call);
      MemorySegment bytes = call.allocateFrom(JAVA_BYTE, text.getBytes(StandardCharsets.UTF_8));
      int descriptor = (int) SOCKET.invokeExact(state, (int) AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
      if (descriptor < 0) {
        throw failed("socket", socket, state);
      }
      try {
        long sent = (long) SENDTO.invokeExact(state, descriptor, bytes, bytes.byteSize(), MSG_NOSIGNAL | MSG_DONTWAIT,
            address,
            (int) address.byteSize());
        if (sent != bytes.byteSize()) {
          throw failed("sendto", socket, state);
        }
      } finally {
        int _ = (int) CLOSE.invokeExact(state, descriptor);
      }
    } catch (IOException e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("a datagram could not be sent", e);
    }
  }

  private static IOException failed(String call, String socket, MemorySegment state) {
    return new IOException("%s for %s failed with errno %d".formatted(call, socket, (int) ERRNO.get(state, 0L)));
  }

  /** As long as it says: the name of an abstract socket ends with the address. */
  static MemorySegment address(String socket, Arena arena) throws IOException {
    boolean isAbstract = socket.startsWith(ABSTRACT);
    byte[] name = socket.getBytes(StandardCharsets.UTF_8);
    if (!isAbstract && !socket.startsWith("/") || name.length >= PATH_BYTES) {
      throw new IOException("'%s' is not the address of a Unix domain socket".formatted(socket));
    }
    MemorySegment address = arena.allocate(PATH_OFFSET + name.length + (isAbstract ? 0L : 1L), JAVA_SHORT.byteSize());
    address.set(JAVA_SHORT, 0, AF_UNIX);
    MemorySegment.copy(name, 0, address, JAVA_BYTE, PATH_OFFSET, name.length);
    if (isAbstract) {
      address.set(JAVA_BYTE, PATH_OFFSET, (byte) 0);
    }
    return address;
  }

  private static MethodHandle function(String name, FunctionDescriptor descriptor) {
    MemorySegment address = LINKER.defaultLookup().find(name)
        .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no " + name));
    return LINKER.downcallHandle(address, descriptor, Linker.Option.captureCallState("errno"));
  }
}
