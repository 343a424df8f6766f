package dev.pageferry.benchmark;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicBoolean;

/** One end of a blocking TCP connection over 127.0.0.1: the kernel's calls with nothing between them and memory. */
final class NativeStream implements AutoCloseable {
  private static final int AF_INET = 2;
  private static final int SOCK_STREAM_CLOEXEC = 1 | 0x80000;
  private static final int IPPROTO_TCP = 6;
  private static final int TCP_CONGESTION = 13;
  private static final int SOCKADDR_IN_BYTES = 16;
  private static final int LOOPBACK = 0x7f000001;
  private static final ValueLayout.OfShort NETWORK_SHORT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);
  private static final ValueLayout.OfInt NETWORK_INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.BIG_ENDIAN);

  private static final MethodHandle SOCKET = function("socket",
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle CONNECT = function("connect",
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle BIND = function("bind",
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle LISTEN = function("listen", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle ACCEPT = function("accept",
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));
  private static final MethodHandle SETSOCKOPT = function("setsockopt",
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle READ = function("read",
      FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
  private static final MethodHandle WRITE = function("write",
      FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
  private static final MethodHandle CLOSE = function("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));

  private final int descriptor;
  private final AtomicBoolean closed = new AtomicBoolean();

  private NativeStream(int descriptor) {
    this.descriptor = descriptor;
  }

  /** Both ends of a new connection, with the same congestion control. */
  record Pair(NativeStream sender, NativeStream receiver) implements AutoCloseable {
    @Override
    public void close() {
      try (sender) {
        receiver.close();
      }
    }
  }

  static Pair connect(String congestionControl) {
    int port = Children.freePort();
    try (NativeStream listening = open(congestionControl); Arena arena = Arena.ofConfined()) {
      MemorySegment address = loopback(port, arena);
      check("bind", (int) BIND.invokeExact(listening.descriptor, address, SOCKADDR_IN_BYTES));
      check("listen", (int) LISTEN.invokeExact(listening.descriptor, 1));
      NativeStream sender = open(congestionControl);
      try {
        check("connect", (int) CONNECT.invokeExact(sender.descriptor, address, SOCKADDR_IN_BYTES));
        int accepted = (int) ACCEPT.invokeExact(listening.descriptor, MemorySegment.NULL, MemorySegment.NULL);
        return new Pair(sender, new NativeStream((int) check("accept", accepted)));
      } catch (Throwable e) {
        sender.close();
        throw e;
      }
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  /** Sends some of the memory from the beginning on. @return how many bytes, at least one */
  long write(MemorySegment memory) {
    try {
      return check("write", (long) WRITE.invokeExact(descriptor, memory, memory.byteSize()));
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  /** Receives into the memory from the beginning on. @return how many bytes, at least one */
  long read(MemorySegment memory) {
    try {
      long bytes = check("read", (long) READ.invokeExact(descriptor, memory, memory.byteSize()));
      if (bytes == 0) {
        throw new BenchmarkException("the sender has closed the stream");
      }
      return bytes;
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  @Override
  public void close() {
    if (closed.getAndSet(true)) {
      return;
    }
    try {
      check("close", (int) CLOSE.invokeExact(descriptor));
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  private static NativeStream open(String congestionControl) throws Throwable {
    int descriptor = (int) check("socket", (int) SOCKET.invokeExact(AF_INET, SOCK_STREAM_CLOEXEC, 0));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocateFrom(congestionControl);
      check("setsockopt(TCP_CONGESTION)", (int) SETSOCKOPT.invokeExact(descriptor, IPPROTO_TCP, TCP_CONGESTION, name,
          congestionControl.length()));
    }
    return new NativeStream(descriptor);
  }

  /** struct sockaddr_in (ip(7)). */
  private static MemorySegment loopback(int port, Arena arena) {
    MemorySegment address = arena.allocate(SOCKADDR_IN_BYTES, Integer.BYTES);
    address.set(ValueLayout.JAVA_SHORT, 0, (short) AF_INET);
    address.set(NETWORK_SHORT, 2, (short) port);
    address.set(NETWORK_INT, 4, LOOPBACK);
    return address;
  }

  private static long check(String call, long result) {
    if (result < 0) {
      throw new BenchmarkException(call + " failed");
    }
    return result;
  }

  private static BenchmarkException failed(Throwable cause) {
    return cause instanceof BenchmarkException known ? known : new BenchmarkException("bare stream: " + cause, cause);
  }

  private static MethodHandle function(String name, FunctionDescriptor descriptor) {
    MemorySegment address = Linker.nativeLinker().defaultLookup().find(name)
        .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no " + name));
    return Linker.nativeLinker().downcallHandle(address, descriptor);
  }
}
