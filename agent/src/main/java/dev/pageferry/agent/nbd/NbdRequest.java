package dev.pageferry.agent.nbd;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * What a client asks for.
 *
 * @param type one of the commands in {@link NbdProtocol}, or one that is not known here
 * @param cookie the client's, which the reply repeats
 * @param offset bytes from the beginning of the disk; unsigned on the wire, so that a huge one is negative
 * @param length bytes, not negative
 */
record NbdRequest(int flags, int type, long cookie, long offset, int length) {
  /** @throws IOException if that is not a request, or one of a length that was never offered */
  static NbdRequest decode(ByteBuffer header, int mostBytes) throws IOException {
    int magic = header.getInt();
    if (magic != NbdProtocol.REQUEST_MAGIC) {
      throw new IOException("a request begins with 0x%08x, expected 0x%08x".formatted(magic,
          NbdProtocol.REQUEST_MAGIC));
    }
    NbdRequest request = new NbdRequest(Short.toUnsignedInt(header.getShort()),
        Short.toUnsignedInt(header.getShort()), header.getLong(), header.getLong(), header.getInt());
    if (request.length < 0 || request.length > mostBytes) {
      throw new IOException("a request of %d bytes, more than the %d that were offered".formatted(
          Integer.toUnsignedLong(request.length), mostBytes));
    }
    return request;
  }

  /** Whether its data follows it. */
  boolean hasPayload() {
    return type == NbdProtocol.COMMAND_WRITE;
  }

  /** Whether all that it reaches is on a disk of that size. */
  boolean isWithin(long sizeBytes) {
    return offset >= 0 && offset <= sizeBytes && length <= sizeBytes - offset;
  }
}
