package dev.pageferry.agent.guest.qemu;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/**
 * QEMU's end of a network card: frames, each with its length in four bytes ahead, big-endian. Source: QEMU's {@code net/stream.c}.
 * Does not block. One thread uses it.
 */
final class CardSocket implements AutoCloseable {
  /** More than QEMU sends in one piece: its NET_BUFSIZE. */
  static final int MOST_FRAME_BYTES = 4096 + 65536;
  private static final int LENGTH_BYTES = 4;
  /** Frames that are read before it is another card's turn. */
  private static final int FRAMES_AT_ONCE = 64;

  private final SocketChannel channel;
  private final ByteBuffer in = ByteBuffer.allocate(LENGTH_BYTES + MOST_FRAME_BYTES);
  private ByteBuffer out = ByteBuffer.allocate(0);
  private boolean heldUp;

  /** Takes frames of the machine. */
  interface Sink {
    /** Whether it takes another one. If not, whoever reads is to try again once it does. */
    boolean hasRoom();

    void take(byte[] frame);
  }

  private CardSocket(SocketChannel channel) {
    this.channel = channel;
  }

  static CardSocket connect(Path path) throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      channel.connect(UnixDomainSocketAddress.of(path));
      return of(channel);
    } catch (IOException | RuntimeException | Error e) {
      channel.close();
      throw e;
    }
  }

  static CardSocket of(SocketChannel connected) throws IOException {
    connected.configureBlocking(false);
    return new CardSocket(connected);
  }

  void register(Selector selector) throws IOException {
    SelectionKey _ = channel.register(selector, SelectionKey.OP_READ, this);
  }

  /** @param room whether the selector waits for room to write, too */
  void await(Selector selector, boolean room) {
    SelectionKey key = channel.keyFor(selector);
    if (key != null && key.isValid()) {
      SelectionKey _ = key.interestOps((heldUp ? 0 : SelectionKey.OP_READ) | (room ? SelectionKey.OP_WRITE : 0));
    }
  }

  /** Whether the last read ended ahead of a frame for which its sink had no room. Until the next one QEMU has to wait. */
  boolean isHeldUp() {
    return heldUp;
  }

  /**
   * Reads frames that are there, up to some, and no more than the sink has room for.
   *
   * @return whether there were any
   * @throws IOException if QEMU is gone, or sends what is not a frame
   */
  boolean read(Sink sink) throws IOException {
    int count = 0;
    heldUp = false;
    do {
      in.flip();
      try {
        count += cut(sink);
      } finally {
        in.compact();
      }
    } while (count < FRAMES_AT_ONCE && !heldUp && receive());
    return count > 0;
  }

  private boolean receive() throws IOException {
    int read = channel.read(in);
    if (read < 0) {
      throw new IOException("QEMU has closed it");
    }
    return read > 0;
  }

  private int cut(Sink sink) throws IOException {
    int count = 0;
    while (in.remaining() >= LENGTH_BYTES) {
      int length = in.getInt(in.position());
      if (length <= 0 || length > MOST_FRAME_BYTES) {
        throw new IOException("a frame of %d bytes".formatted(Integer.toUnsignedLong(length)));
      }
      if (in.remaining() < LENGTH_BYTES + length) {
        break;
      }
      if (!sink.hasRoom()) {
        heldUp = true;
        break;
      }
      byte[] frame = new byte[length];
      in.position(in.position() + LENGTH_BYTES).get(frame);
      sink.take(frame);
      count++;
    }
    return count;
  }

  /** Writes what is left of a frame. @return whether the next one may be begun */
  boolean isReady() throws IOException {
    if (out.hasRemaining()) {
      int _ = channel.write(out);
    }
    return !out.hasRemaining();
  }

  /** Begins to write a frame, while {@link #isReady}. */
  void write(byte[] frame) throws IOException {
    out = ByteBuffer.allocate(LENGTH_BYTES + frame.length).putInt(frame.length).put(frame).flip();
    int _ = channel.write(out);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
