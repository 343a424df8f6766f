package dev.pageferry.agent.transport;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelConfig;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.util.UncheckedBooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Lets the receiver of a channel say where the bytes of every read go. Set before the channel's first read, because a
 * channel asks for its handle once; until {@link #directTo} reads go into small buffers as usual.
 */
final class ExactReads implements RecvByteBufAllocator {
  /** Other channels of the event loop get their turn after that much. */
  private static final long BYTES_PER_TURN = 8 << 20;
  /** Each is a system call, however little it brings. */
  private static final int READS_PER_TURN = 4096;
  /** Of a control stream, whose frames take more work than their bytes say. */
  private static final long CONTROL_BYTES_PER_TURN = 64 << 10;

  private static final int GREETING_BYTES = 2048;
  /** Sixteen records of TLS, about. */
  private static final int MUCH_BYTES = 256 << 10;

  /** Used by the channel's event loop only. */
  private @Nullable Supplier<ByteBuf> nextTarget;

  private int readBytes = GREETING_BYTES;

  /** From the next read on as much comes at once as suits pages that TLS has encrypted. Called on the channel's event loop. */
  void readMuch() {
    readBytes = MUCH_BYTES;
  }

  /** From the next read on the supplier says where bytes go. Called on the channel's event loop. */
  void directTo(Supplier<ByteBuf> target) {
    nextTarget = target;
  }

  @Override
  public ExtendedHandle newHandle() {
    return new Handle();
  }

  private final class Handle implements ExtendedHandle {
    private int attempted;
    private int last;
    private long total;
    private int reads;
    private @Nullable ChannelConfig config;

    @Override
    public ByteBuf allocate(ByteBufAllocator allocator) {
      return nextTarget == null ? allocator.ioBuffer(readBytes) : nextTarget.get();
    }

    @Override
    public int guess() {
      return readBytes;
    }

    @Override
    public void reset(ChannelConfig channel) {
      config = channel;
      total = 0;
      reads = 0;
    }

    @Override
    public void incMessagesRead(int messages) {
      // Bytes, not messages, bound a turn.
    }

    @Override
    public void lastBytesRead(int bytes) {
      last = bytes;
      reads++;
      total += Math.max(0, bytes);
    }

    @Override
    public int lastBytesRead() {
      return last;
    }

    @Override
    public void attemptedBytesRead(int bytes) {
      attempted = bytes;
    }

    @Override
    public int attemptedBytesRead() {
      return attempted;
    }

    @Override
    public boolean continueReading() {
      // A read that came back short has emptied the socket.
      return last == attempted
          && total < (nextTarget == null && readBytes == GREETING_BYTES ? CONTROL_BYTES_PER_TURN : BYTES_PER_TURN)
          && reads < READS_PER_TURN && config != null && config.isAutoRead();
    }

    @Override
    public boolean continueReading(UncheckedBooleanSupplier maybeMoreData) {
      return continueReading();
    }

    @Override
    public void readComplete() {
      // Nothing is learnt from a turn.
    }
  }
}
