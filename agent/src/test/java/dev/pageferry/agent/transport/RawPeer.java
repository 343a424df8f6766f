package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.wire.ControlFrames;
import dev.pageferry.agent.wire.FrameHeader;
import dev.pageferry.agent.wire.FrameType;
import dev.pageferry.agent.wire.PageFrame;
import dev.pageferry.proto.migration.v1.Ping;
import dev.pageferry.proto.migration.v1.Pong;
import dev.pageferry.proto.migration.v1.Refusal;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/** A blocking socket that speaks frames, right or wrong: the peer that tests are hostile with. */
final class RawPeer implements AutoCloseable {
  static final int READ_TIMEOUT_MILLIS = 15_000;
  private static final int CHECKSUM_AT = 12;

  private final Socket socket;
  private final DataInputStream in;
  private long sequenceOut;
  private long sequenceIn;

  RawPeer(Socket socket) throws IOException {
    this.socket = socket;
    socket.setSoTimeout(READ_TIMEOUT_MILLIS);
    socket.setTcpNoDelay(true);
    in = new DataInputStream(socket.getInputStream());
  }

  static RawPeer connect(int port) throws IOException {
    return new RawPeer(new Socket(InetAddress.getLoopbackAddress(), port));
  }

  /** Sends bytes as they are; a peer that has closed meanwhile is no failure. */
  void raw(byte[] bytes) throws IOException {
    try {
      socket.getOutputStream().write(bytes);
    } catch (SocketException e) {
      // What the test expects is read, not written.
    }
  }

  void send(MessageLite message) throws IOException {
    raw(bytes(ControlFrames.encode(message, sequenceOut++)));
  }

  /** Sends a frame that {@link ControlFrames} would not build. */
  void frame(int type, int flags, byte[] body) throws IOException {
    raw(frame(type, flags, body, sequenceOut++));
  }

  /** Sends a page frame after the test has changed its bytes; the header's checksum is not corrected. */
  void pages(PageFrame frame, Damage damage) throws IOException {
    frame.finish(sequenceOut++);
    byte[] bytes = bytes(frame.buffer());
    damage.apply(bytes);
    raw(bytes);
  }

  void pages(PageFrame frame) throws IOException {
    pages(frame, bytes -> {
    });
  }

  /** What a test does to the bytes of a frame. */
  @FunctionalInterface
  interface Damage {
    void apply(byte[] frame);
  }

  /** Leaves out, or repeats, numbers of frames. */
  void skipSequence(int frames) {
    sequenceOut += frames;
  }

  static byte[] frame(int type, int flags, byte[] body, long sequence) {
    ByteBuffer frame = ByteBuffer.allocate(FrameHeader.BYTES + body.length).order(ByteOrder.LITTLE_ENDIAN);
    frame.put("PGFY".getBytes(StandardCharsets.US_ASCII)).putShort((short) type)
        .putShort((short) flags).putInt(body.length).putInt(0).putLong(sequence).put(body);
    CRC32C crc = new CRC32C();
    crc.update(frame.array());
    return frame.putInt(CHECKSUM_AT, (int) crc.getValue()).array();
  }

  /** The next message that is no keep-alive; null at the end of the stream. */
  @Nullable
  MessageLite next() throws Exception {
    while (true) {
      MessageLite message = read();
      if (message instanceof Ping ping) {
        send(Pong.newBuilder().setNonce(ping.getNonce()).build());
      } else if (!(message instanceof Pong)) {
        return message;
      }
    }
  }

  private @Nullable MessageLite read() throws Exception {
    byte[] head = new byte[FrameHeader.BYTES];
    try {
      in.readFully(head);
      FrameHeader header = FrameHeader.read(ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN), 0, sequenceIn++);
      FrameType type = FrameType.ofCode(header.type());
      if (type == null) {
        throw new AssertionError("frame of unknown type " + header.type());
      }
      ByteBuffer frame = ByteBuffer.allocate(FrameHeader.BYTES + header.bodyBytes()).order(ByteOrder.LITTLE_ENDIAN)
          .put(head);
      in.readFully(frame.array(), FrameHeader.BYTES, header.bodyBytes());
      return ControlFrames.decode(type, header, frame);
    } catch (EOFException | SocketException e) {
      return null;
    }
  }

  <T extends MessageLite> T expect(Class<T> kind) throws Exception {
    MessageLite message = next();
    if (!kind.isInstance(message)) {
      throw new AssertionError("received %s, expected %s".formatted(message, kind.getSimpleName()));
    }
    return kind.cast(message);
  }

  /** The peer says why, in these words among others, and hangs up. */
  void expectRefusal(String code, String... words) throws Exception {
    Refusal refusal = expect(Refusal.class);
    assertThat(refusal.getCode()).as(refusal.getMessage()).isEqualTo(code);
    assertThat(refusal.getMessage())
        .satisfies(message -> List.of(words).forEach(each -> assertThat(message).contains(each)));
    expectClosed();
  }

  /** The peer hangs up; what it says before does not matter. */
  void expectClosed() throws Exception {
    while (next() != null) {
      // Until the end.
    }
  }

  /** Reads and forgets so many bytes. */
  void readBytes(int count) throws IOException {
    in.skipNBytes(count);
  }

  /** Reads and forgets all that comes. */
  void drain() {
    try {
      in.transferTo(OutputStream.nullOutputStream());
    } catch (IOException e) {
      // The connection is over.
    }
  }

  static byte[] bytes(ByteBuffer frame) {
    byte[] bytes = new byte[frame.remaining()];
    frame.get(frame.position(), bytes);
    return bytes;
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
