package dev.pageferry.agent.wire;

import dev.pageferry.agent.wire.WireException.Fault;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * The fixed header of every frame, little-endian.
 *
 * <pre>
 *  0        4      6      8           12         16                 24
 *  +--------+------+------+-----------+----------+------------------+
 *  | magic  | type | flags| bodyBytes | checksum | sequence         |
 *  +--------+------+------+-----------+----------+------------------+
 * </pre>
 *
 * The checksum is CRC32C over the header with this field zero, then over the body without page contents, which have
 * checksums of their own. The sequence counts the frames of one direction of one connection from 0.
 *
 * @param type code of a {@link FrameType}, or one this version does not know
 * @param bodyBytes 0 to {@link #MAX_BODY_BYTES}
 */
public record FrameHeader(int type, int flags, int bodyBytes, int checksum, long sequence) {
  /** "PGFY" as it stands in the stream. */
  static final int MAGIC = 0x59464750;

  static final int TYPE_AT = 4;
  static final int FLAGS_AT = TYPE_AT + Short.BYTES;
  static final int BODY_BYTES_AT = FLAGS_AT + Short.BYTES;
  static final int CHECKSUM_AT = BODY_BYTES_AT + Integer.BYTES;
  static final int SEQUENCE_AT = CHECKSUM_AT + Integer.BYTES;
  /** Bytes of a header. */
  public static final int BYTES = SEQUENCE_AT + Long.BYTES;

  public static final int MAX_BODY_BYTES = 1 << 20;
  /** The receiver may skip the frame if it does not know the type. */
  public static final int FLAG_OPTIONAL = 1;
  private static final int KNOWN_FLAGS = FLAG_OPTIONAL;

  /**
   * Reads a header at the buffer's given index and checks all that can be checked without the body.
   *
   * @param expectedSequence number of frames read on this connection before
   */
  public static FrameHeader read(ByteBuffer buffer, int at, long expectedSequence) throws WireException {
    int magic = buffer.getInt(at);
    if (magic != MAGIC) {
      throw new WireException(Fault.BAD_MAGIC, "magic=%08x expected=%08x", magic, MAGIC);
    }
    FrameHeader header = new FrameHeader(Short.toUnsignedInt(buffer.getShort(at + TYPE_AT)),
        Short.toUnsignedInt(buffer.getShort(at + FLAGS_AT)), buffer.getInt(at + BODY_BYTES_AT),
        buffer.getInt(at + CHECKSUM_AT),
        buffer.getLong(at + SEQUENCE_AT));
    header.verify(expectedSequence);
    return header;
  }

  private void verify(long expectedSequence) throws WireException {
    if ((flags & ~KNOWN_FLAGS) != 0) {
      throw new WireException(Fault.RESERVED_BITS, "type=%d flags=%04x", type, flags);
    }
    if (bodyBytes < 0 || bodyBytes > MAX_BODY_BYTES) {
      throw new WireException(Fault.BODY_TOO_LONG, "type=%d bodyBytes=%d limit=%d", type,
          Integer.toUnsignedLong(bodyBytes),
          MAX_BODY_BYTES);
    }
    if (sequence != expectedSequence) {
      throw new WireException(Fault.OUT_OF_SEQUENCE, "type=%d sequence=%d expected=%d", type, sequence,
          expectedSequence);
    }
  }

  public boolean isOptional() {
    return (flags & FLAG_OPTIONAL) != 0;
  }

  /**
   * Writes a header for the body that stands behind it, with its checksum.
   *
   * @param frame a buffer with the header's place at its index 0 and the body behind it
   * @param checkedBodyBytes how much of the body the header's checksum covers
   */
  static void write(ByteBuffer frame, FrameType type, int flags, int bodyBytes, int checkedBodyBytes, long sequence,
      CRC32C crc) {
    frame.putInt(0, MAGIC);
    frame.putShort(TYPE_AT, (short) type.code());
    frame.putShort(FLAGS_AT, (short) flags);
    frame.putInt(BODY_BYTES_AT, bodyBytes);
    frame.putInt(CHECKSUM_AT, 0);
    frame.putLong(SEQUENCE_AT, sequence);
    frame.putInt(CHECKSUM_AT, checksum(frame, checkedBodyBytes, crc));
  }

  /**
   * Compares the checksum with that of the bytes.
   *
   * @param frame the header at index 0, the checked part of the body behind it; its checksum field is cleared
   */
  public void verifyChecksum(ByteBuffer frame, int checkedBodyBytes, CRC32C crc) throws WireException {
    frame.putInt(CHECKSUM_AT, 0);
    int actual = checksum(frame, checkedBodyBytes, crc);
    if (actual != checksum) {
      throw new WireException(Fault.CHECKSUM_MISMATCH, "type=%d sequence=%d checksum=%08x expected=%08x", type,
          sequence, actual,
          checksum);
    }
  }

  private static int checksum(ByteBuffer frame, int checkedBodyBytes, CRC32C crc) {
    crc.reset();
    crc.update(frame.duplicate().clear().limit(BYTES + checkedBodyBytes));
    return (int) crc.getValue();
  }
}
