package dev.pageferry.agent.nbd;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;

/**
 * How client and server come to terms ("fixed newstyle"). There is one export, under the empty name. What is optional and not known
 * here is refused as unsupported, so that the client goes on without.
 */
final class NbdHandshake {
  /** No client needs more: names have at most 4096 bytes. */
  private static final int LONGEST_OPTION = 64 << 10;
  private static final int MOST_OPTIONS = 100;
  private static final int PREFERRED_BYTES = 4096;
  private static final int ZEROES = 124;

  private final ByteChannel channel;
  private final long sizeBytes;
  private final int exportFlags;
  private final int mostBytes;
  private boolean withoutZeroes;

  /** @param mostBytes of one request */
  NbdHandshake(ByteChannel channel, long sizeBytes, int exportFlags, int mostBytes) {
    this.channel = channel;
    this.sizeBytes = sizeBytes;
    this.exportFlags = exportFlags;
    this.mostBytes = mostBytes;
  }

  /** @return whether the client wants the disk; else it has gone, as it said */
  boolean carryOut() throws IOException {
    send(ByteBuffer.allocate(18).putLong(NbdProtocol.SERVER_MAGIC).putLong(NbdProtocol.OPTION_MAGIC)
        .putShort((short) (NbdProtocol.FIXED_NEWSTYLE | NbdProtocol.NO_ZEROES)));
    int flags = receive(4).getInt();
    if ((flags & ~(NbdProtocol.FIXED_NEWSTYLE | NbdProtocol.NO_ZEROES)) != 0
        || (flags & NbdProtocol.FIXED_NEWSTYLE) == 0) {
      throw new IOException("a client with flags 0x%x, expected 1 or 3".formatted(flags));
    }
    withoutZeroes = (flags & NbdProtocol.NO_ZEROES) != 0;
    for (int i = 0; i < MOST_OPTIONS; i++) {
      ByteBuffer header = receive(16);
      long magic = header.getLong();
      int option = header.getInt();
      int length = header.getInt();
      if (magic != NbdProtocol.OPTION_MAGIC || length < 0 || length > LONGEST_OPTION) {
        throw new IOException("option %d of %d bytes, begun with 0x%016x".formatted(option,
            Integer.toUnsignedLong(length), magic));
      }
      ByteBuffer data = receive(length);
      switch (option) {
        case NbdProtocol.OPTION_EXPORT_NAME -> {
          return beginOldStyle(data);
        }
        case NbdProtocol.OPTION_ABORT -> {
          reply(option, NbdProtocol.REPLY_ACK, ByteBuffer.allocate(0));
          return false;
        }
        case NbdProtocol.OPTION_INFO, NbdProtocol.OPTION_GO -> {
          if (tell(option, data) && option == NbdProtocol.OPTION_GO) {
            return true;
          }
        }
        default -> reply(option, NbdProtocol.REPLY_UNSUPPORTED, ByteBuffer.allocate(0));
      }
    }
    throw new IOException("more than %d options".formatted(MOST_OPTIONS));
  }

  /** It knows no errors: what cannot be had is told by hanging up. */
  private boolean beginOldStyle(ByteBuffer name) throws IOException {
    if (name.hasRemaining()) {
      throw new IOException("there is no export '%s'".formatted(UTF_8.decode(name)));
    }
    ByteBuffer export = ByteBuffer.allocate(10 + (withoutZeroes ? 0 : ZEROES)).putLong(sizeBytes)
        .putShort((short) exportFlags);
    export.position(export.limit());
    send(export);
    return true;
  }

  private boolean tell(int option, ByteBuffer data) throws IOException {
    // be32 length of the name, the name, be16 number of information requests, those; all is told anyway.
    int nameBytes = data.remaining() < 6 ? -1 : data.getInt();
    if (nameBytes < 0 || nameBytes > data.remaining() - 2) {
      reply(option, NbdProtocol.REPLY_INVALID, ByteBuffer.allocate(0));
      return false;
    }
    if (nameBytes > 0) {
      reply(option, NbdProtocol.REPLY_UNKNOWN, ByteBuffer.allocate(0));
      return false;
    }
    reply(option, NbdProtocol.REPLY_INFO, ByteBuffer.allocate(12).putShort((short) NbdProtocol.INFO_EXPORT)
        .putLong(sizeBytes).putShort((short) exportFlags));
    reply(option, NbdProtocol.REPLY_INFO, ByteBuffer.allocate(14).putShort((short) NbdProtocol.INFO_BLOCK_SIZE)
        .putInt(1).putInt(PREFERRED_BYTES).putInt(mostBytes));
    reply(option, NbdProtocol.REPLY_ACK, ByteBuffer.allocate(0));
    return true;
  }

  /** @param data filled */
  private void reply(int option, int type, ByteBuffer data) throws IOException {
    data.flip();
    send(ByteBuffer.allocate(20 + data.remaining()).putLong(NbdProtocol.OPTION_REPLY_MAGIC).putInt(option).putInt(type)
        .putInt(data.remaining()).put(data));
  }

  private void send(ByteBuffer filled) throws IOException {
    filled.flip();
    while (filled.hasRemaining()) {
      int _ = channel.write(filled);
    }
  }

  private ByteBuffer receive(int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes);
    while (buffer.hasRemaining()) {
      if (channel.read(buffer) < 0) {
        throw new EOFException("the client went away while it came to terms");
      }
    }
    return buffer.flip();
  }
}
