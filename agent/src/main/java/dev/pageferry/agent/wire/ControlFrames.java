package dev.pageferry.agent.wire;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import dev.pageferry.agent.wire.WireException.Fault;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/** Control frames: a header and a Protocol Buffers message. */
public final class ControlFrames {
  private ControlFrames() {
  }

  /** The whole frame of a message, ready to be read. */
  public static ByteBuffer encode(MessageLite message, long sequence) {
    int bodyBytes = message.getSerializedSize();
    if (bodyBytes > FrameHeader.MAX_BODY_BYTES) {
      throw new IllegalArgumentException(
          "%s of %d bytes exceeds a frame's body".formatted(message.getClass().getSimpleName(), bodyBytes));
    }
    ByteBuffer frame = ByteBuffer.allocate(FrameHeader.BYTES + bodyBytes).order(ByteOrder.LITTLE_ENDIAN);
    frame.put(FrameHeader.BYTES, message.toByteArray());
    FrameHeader.write(frame, FrameType.ofMessage(message), 0, bodyBytes, bodyBytes, sequence, new CRC32C());
    return frame;
  }

  /**
   * Reads the body of a control frame.
   *
   * @param frame header at index 0 and the whole body behind it
   */
  public static MessageLite decode(FrameType type, FrameHeader header, ByteBuffer frame) throws WireException {
    header.verifyChecksum(frame, header.bodyBytes(), new CRC32C());
    try {
      byte[] body = new byte[header.bodyBytes()];
      frame.get(FrameHeader.BYTES, body);
      return type.parser().parseFrom(body);
    } catch (InvalidProtocolBufferException e) {
      throw new WireException(Fault.BODY_MALFORMED, "type=%s: %s", type, e.getMessage());
    }
  }
}
