package dev.pageferry.agent.wire;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/** Frames as the tests of this package take them apart. */
final class Frames {
  private Frames() {
  }

  static CRC32C crc() {
    return new CRC32C();
  }

  static ByteBuffer buffer(byte[] bytes) {
    return ByteBuffer.wrap(bytes.clone()).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** What stands between position and limit. */
  static byte[] bytes(ByteBuffer frame) {
    byte[] bytes = new byte[frame.remaining()];
    frame.get(frame.position(), bytes);
    return bytes;
  }

  static byte[] bytes(PageFrame frame) {
    return bytes(frame.buffer());
  }

  /** Reads the head of a page frame as a data stream does. */
  static PageFrameMeta meta(byte[] bytes, long expectedSequence) throws WireException {
    ByteBuffer frame = buffer(bytes);
    FrameHeader header = FrameHeader.read(frame, 0, expectedSequence);
    FrameType type = FrameType.ofCode(header.type());
    if (type == null || !type.isPageFrame()) {
      throw new WireException(WireException.Fault.UNKNOWN_FRAME, "type=%d", header.type());
    }
    int count = PageFrameMeta.count(type, header.bodyBytes());
    header.verifyChecksum(frame, PageFrameMeta.checkedBodyBytes(type, count), crc());
    return PageFrameMeta.of(type, count, frame);
  }
}
