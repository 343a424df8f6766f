package dev.pageferry.agent.os;

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
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Whole Ethernet frames from and to a network interface: a raw packet(7) socket, in promiscuous mode, for which the process
 * needs CAP_NET_RAW. Frames that this machine itself sends over the interface are not received. One thread may receive while
 * another sends; closing is for the one that receives, behind its last call.
 */
public final class PacketSocket implements AutoCloseable {
  /** Longer frames, which network cards put together from several, are cut off and marked. */
  private static final int RECEIVE_BYTES = 2048;
  private static final int AF_PACKET = 17;
  private static final int SOCK_RAW_CLOEXEC = 3 | 0x80000;
  private static final short ETH_P_ALL = 3;
  private static final int SOL_SOCKET = 1;
  private static final int SO_RCVBUF = 8;
  private static final int SO_RCVTIMEO = 20;
  private static final int SOL_PACKET = 263;
  private static final int PACKET_ADD_MEMBERSHIP = 1;
  private static final short PACKET_MR_PROMISC = 1;
  private static final int PACKET_AUXDATA = 8;
  private static final int PACKET_IGNORE_OUTGOING = 23;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_TRUNC = 0x20;
  private static final int TP_STATUS_VLAN_VALID = 1 << 4;
  private static final int EPERM = 1;
  private static final int EINTR = 4;
  private static final int EAGAIN = 11;
  private static final int RECEIVE_BUFFER_BYTES = 4 << 20;
  private static final long TIMEOUT_MICROS = 200_000;

  // struct msghdr, iovec, cmsghdr and tpacket_auxdata of 64-bit Linux.
  private static final int MSG_IOV = 16;
  private static final int MSG_IOVLEN = 24;
  private static final int MSG_CONTROL = 32;
  private static final int MSG_CONTROLLEN = 40;
  private static final int MSG_FLAGS = 48;
  private static final int MSGHDR_BYTES = 56;
  private static final int CMSG_LEVEL = 8;
  private static final int CMSG_TYPE = 12;
  private static final int CMSG_DATA = 16;
  private static final int CONTROL_BYTES = 64;

  private static final ValueLayout.OfShort NETWORK_SHORT = JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);
  private static final Linker LINKER = Linker.nativeLinker();
  private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO = CALL_STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));

  private static final MethodHandle SOCKET = function("socket",
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle BIND = function("bind",
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle SETSOCKOPT = function("setsockopt",
      FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle IF_NAMETOINDEX = function("if_nametoindex",
      FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle RECVMSG = function("recvmsg",
      FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle SEND = function("send",
      FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
  private static final MethodHandle CLOSE = function("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));

  /**
   * A frame that came.
   *
   * @param frame without check sequence; cut off if it was longer than could be taken
   * @param isWhole whether it is all of it, and had no VLAN tag that the kernel took off
   */
  public record Packet(byte[] frame, boolean isWhole) {
  }

  private final int descriptor;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment receiveState = arena.allocate(CALL_STATE);
  private final MemorySegment receiveBuffer = arena.allocate(RECEIVE_BYTES);
  private final MemorySegment control = arena.allocate(CONTROL_BYTES, 8);
  private final MemorySegment message = arena.allocate(MSGHDR_BYTES, 8);
  private final MemorySegment sendState = arena.allocate(CALL_STATE);
  private final MemorySegment sendBuffer = arena.allocate(RECEIVE_BYTES);
  private volatile boolean closed;

  @SuppressWarnings("MustBeClosedChecker") // closed with the socket
  private PacketSocket(int descriptor) {
    this.descriptor = descriptor;
    MemorySegment vector = arena.allocate(16, 8);
    vector.set(ADDRESS, 0, receiveBuffer);
    vector.set(JAVA_LONG, 8, RECEIVE_BYTES);
    message.set(ADDRESS, MSG_IOV, vector);
    message.set(JAVA_LONG, MSG_IOVLEN, 1);
  }

  /** @throws IOException naming what is missing: the interface, or the capability */
  public static PacketSocket open(String networkInterface) throws IOException {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment state = call.allocate(CALL_STATE);
      int index = (int) IF_NAMETOINDEX.invokeExact(state, call.allocateFrom(networkInterface));
      if (index == 0) {
        throw new IOException("there is no network interface %s".formatted(networkInterface));
      }
      int descriptor = (int) SOCKET.invokeExact(state, AF_PACKET, SOCK_RAW_CLOEXEC, 0);
      if (descriptor < 0) {
        int errno = (int) ERRNO.get(state, 0L);
        throw new IOException(errno == EPERM
            ? "frames on interface %s need CAP_NET_RAW, which this process does not have".formatted(networkInterface)
            : "packet socket on %s failed with errno %d".formatted(networkInterface, errno));
      }
      PacketSocket socket = new PacketSocket(descriptor);
      try {
        socket.configure(index, networkInterface, call);
        return socket;
      } catch (Throwable e) {
        socket.close();
        throw e;
      }
    } catch (IOException e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("a packet socket could not be made", e);
    }
  }

  private void configure(int index, String name, Arena call) throws Throwable {
    MemorySegment state = call.allocate(CALL_STATE);
    option(SOL_PACKET, PACKET_IGNORE_OUTGOING, integer(call, 1));
    option(SOL_PACKET, PACKET_AUXDATA, integer(call, 1));
    option(SOL_SOCKET, SO_RCVBUF, integer(call, RECEIVE_BUFFER_BYTES));
    MemorySegment timeout = call.allocate(JAVA_LONG, 2);
    timeout.setAtIndex(JAVA_LONG, 1, TIMEOUT_MICROS);
    option(SOL_SOCKET, SO_RCVTIMEO, timeout);
    // struct sockaddr_ll; the protocol only here, so that nothing comes before the options hold.
    MemorySegment address = call.allocate(20, 4);
    address.set(JAVA_SHORT, 0, (short) AF_PACKET);
    address.set(NETWORK_SHORT, 2, ETH_P_ALL);
    address.set(JAVA_INT, 4, index);
    int bound = (int) BIND.invokeExact(state, descriptor, address, (int) address.byteSize());
    if (bound != 0) {
      throw new IOException("interface %s cannot be bound, errno %d".formatted(name, (int) ERRNO.get(state, 0L)));
    }
    // struct packet_mreq.
    MemorySegment membership = call.allocate(16, 4);
    membership.set(JAVA_INT, 0, index);
    membership.set(JAVA_SHORT, 4, PACKET_MR_PROMISC);
    option(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership);
  }

  private static MemorySegment integer(Arena call, int value) {
    return call.allocateFrom(JAVA_INT, value);
  }

  private void option(int level, int name, MemorySegment value) throws Throwable {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment state = call.allocate(CALL_STATE);
      int result = (int) SETSOCKOPT.invokeExact(state, descriptor, level, name, value, (int) value.byteSize());
      if (result != 0) {
        throw new IOException("packet socket option %d failed with errno %d".formatted(name,
            (int) ERRNO.get(state, 0L)));
      }
    }
  }

  /**
   * Waits a fraction of a second for a frame.
   *
   * @return null if none came
   * @throws IOException if the interface is gone or down
   */
  public @Nullable Packet receive() throws IOException {
    message.set(ADDRESS, MSG_CONTROL, control);
    message.set(JAVA_LONG, MSG_CONTROLLEN, CONTROL_BYTES);
    long bytes;
    try {
      bytes = (long) RECVMSG.invokeExact(receiveState, descriptor, message, 0);
    } catch (Throwable e) {
      throw new AssertionError("recvmsg could not be called", e);
    }
    if (bytes < 0) {
      int errno = (int) ERRNO.get(receiveState, 0L);
      if (errno == EAGAIN || errno == EINTR) {
        return null;
      }
      throw new IOException("receiving frames failed with errno %d".formatted(errno));
    }
    int status = auxiliaryStatus();
    boolean truncated = (message.get(JAVA_INT, MSG_FLAGS) & MSG_TRUNC) != 0;
    byte[] frame = receiveBuffer.asSlice(0, bytes).toArray(JAVA_BYTE);
    return new Packet(frame, !truncated && (status & TP_STATUS_VLAN_VALID) == 0);
  }

  private int auxiliaryStatus() {
    boolean there = message.get(JAVA_LONG, MSG_CONTROLLEN) >= CMSG_DATA + Integer.BYTES
        && control.get(JAVA_INT, CMSG_LEVEL) == SOL_PACKET && control.get(JAVA_INT, CMSG_TYPE) == PACKET_AUXDATA;
    return there ? control.get(JAVA_INT, CMSG_DATA) : 0;
  }

  /**
   * Sends a frame if the interface takes it now; for one thread.
   *
   * @param frame at most 2048 bytes
   * @return false if it was not sent
   */
  public boolean send(byte[] frame) {
    if (closed) {
      return false;
    }
    MemorySegment.copy(frame, 0, sendBuffer, JAVA_BYTE, 0, frame.length);
    try {
      long sent = (long) SEND.invokeExact(sendState, descriptor, sendBuffer, (long) frame.length, MSG_DONTWAIT);
      return sent == frame.length;
    } catch (Throwable e) {
      throw new AssertionError("send could not be called", e);
    }
  }

  /** Nothing may be sent or received meanwhile, or after. */
  @Override
  public void close() {
    closed = true;
    try {
      int _ = (int) CLOSE.invokeExact(sendState, descriptor);
    } catch (Throwable e) {
      throw new AssertionError("close could not be called", e);
    }
    arena.close();
  }

  private static MethodHandle function(String name, FunctionDescriptor descriptor) {
    MemorySegment address = LINKER.defaultLookup().find(name)
        .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no " + name));
    return LINKER.downcallHandle(address, descriptor, Linker.Option.captureCallState("errno"));
  }
}
