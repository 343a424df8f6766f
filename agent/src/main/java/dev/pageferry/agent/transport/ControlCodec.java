package dev.pageferry.agent.transport;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.wire.ControlFrames;
import dev.pageferry.agent.wire.FrameHeader;
import dev.pageferry.agent.wire.FrameType;
import dev.pageferry.agent.wire.WireException;
import dev.pageferry.agent.wire.WireException.Fault;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageCodec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** Control frames to and from their messages. Counts every byte of both directions. */
final class ControlCodec extends ByteToMessageCodec<MessageLite> {
  /** Longest body of a peer that has not shown its token yet. */
  static final int STRANGER_BODY_BYTES = 4096;

  private final LongAdder bytesSent;
  private final LongAdder bytesReceived;
  private int maxBodyBytes = STRANGER_BODY_BYTES;
  private long sequenceOut;
  private long sequenceIn;
  private @Nullable FrameHeader header;

  ControlCodec(LongAdder bytesSent, LongAdder bytesReceived) {
    this.bytesSent = bytesSent;
    this.bytesReceived = bytesReceived;
  }

  /** The peer is who it should be: accept bodies of any permitted length. */
  void trust() {
    maxBodyBytes = FrameHeader.MAX_BODY_BYTES;
  }

  /** Frames written so far. */
  long sequenceOut() {
    return sequenceOut;
  }

  /** Frames read so far. */
  long sequenceIn() {
    return sequenceIn;
  }

  @Override
  protected void encode(ChannelHandlerContext context, MessageLite message, ByteBuf out) {
    out.writeBytes(ControlFrames.encode(message, sequenceOut++));
    bytesSent.add(out.readableBytes());
  }

  @Override
  protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) throws WireException {
    if (header == null) {
      if (in.readableBytes() < FrameHeader.BYTES) {
        return;
      }
      FrameHeader read = FrameHeader.read(copy(in, FrameHeader.BYTES), 0, sequenceIn);
      if (read.bodyBytes() > maxBodyBytes) {
        throw new WireException(Fault.BODY_TOO_LONG, "type=%d bodyBytes=%d limit=%d", read.type(), read.bodyBytes(),
            maxBodyBytes);
      }
      header = read;
    }
    int frameBytes = FrameHeader.BYTES + header.bodyBytes();
    if (in.readableBytes() < frameBytes) {
      return;
    }
    ByteBuffer frame = copy(in, frameBytes);
    in.skipBytes(frameBytes);
    bytesReceived.add(frameBytes);
    sequenceIn++;
    FrameHeader whole = header;
    header = null;
    FrameType type = FrameType.ofCode(whole.type());
    if (type == null && whole.isOptional()) {
      return;
    }
    if (type == null || type.isPageFrame()) {
      throw new WireException(Fault.UNKNOWN_FRAME, "type=%d on a control stream", whole.type());
    }
    out.add(ControlFrames.decode(type, whole, frame));
  }

  private static ByteBuffer copy(ByteBuf in, int bytes) {
    byte[] copy = new byte[bytes];
    in.getBytes(in.readerIndex(), copy);
    return ByteBuffer.wrap(copy).order(ByteOrder.LITTLE_ENDIAN);
  }
}
