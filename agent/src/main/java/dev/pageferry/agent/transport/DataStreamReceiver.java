package dev.pageferry.agent.transport;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.migration.PageSink;
import dev.pageferry.agent.wire.ControlFrames;
import dev.pageferry.agent.wire.FrameHeader;
import dev.pageferry.agent.wire.FrameType;
import dev.pageferry.agent.wire.PageFrame;
import dev.pageferry.agent.wire.PageFrameMeta;
import dev.pageferry.agent.wire.WireException;
import dev.pageferry.agent.wire.WireException.Fault;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.migration.v1.RoundAck;
import dev.pageferry.proto.migration.v1.RoundEnd;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The destination's end of a data stream. It tells the channel where the next bytes of the socket belong
 * ({@link #nextTarget}), so that the contents of a run go from the kernel straight into guest memory. Every target is
 * exactly as long as what is known to come, and no length or page number is acted on before it has been checked.
 */
final class DataStreamReceiver extends ChannelInboundHandlerAdapter {
  private static final int SCRATCH_BYTES = FrameHeader.BYTES
      + PageFrameMeta.checkedBodyBytes(FrameType.ZERO_RANGES, PageFrame.MAX_RANGES);
  private static final int MAX_MARKER_BYTES = 64;
  /** How much may arrive before the source is told. */
  private static final int ACKNOWLEDGE_BYTES = 1 << 20;

  /** What the next bytes of the stream are. */
  private enum Part {
    HEADER,
    CHECKED_BODY,
    RUN_CONTENTS,
    BATCH_CONTENTS,
    /** Nothing is read while memory is cleared. */
    CLEARING,
    SKIPPED_BODY
  }

  private final int stream;
  private final PageSink sink;
  private final LongAdder linkBytesReceived;
  private final CRC32C crc = new CRC32C();
  private final ByteBuffer scratch = ByteBuffer.allocateDirect(SCRATCH_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private final ByteBuffer batchContents = ByteBuffer.allocateDirect(PageFrame.MAX_PAGES * PageSize.BYTES);

  private Part part = Part.HEADER;
  /** Where the part under way goes: from position to limit is still to come. */
  private ByteBuffer target;
  private long sequenceIn;
  private long sequenceOut;
  private long bytesReceived;
  private long bytesAcknowledged;
  private int round;
  private int skipLeft;
  private FrameHeader header = new FrameHeader(0, 0, 0, 0, 0);
  private @Nullable PageFrameMeta meta;
  private boolean failed;
  private @Nullable ByteBuf handedOut;

  /**
   * @param sequenceIn frames read on this channel before
   * @param sequenceOut frames written on it before
   */
  DataStreamReceiver(int stream, PageSink sink, LongAdder linkBytesReceived, long sequenceIn, long sequenceOut) {
    this.stream = stream;
    this.sink = sink;
    this.linkBytesReceived = linkBytesReceived;
    this.sequenceIn = sequenceIn;
    this.sequenceOut = sequenceOut;
    this.target = scratch.clear().limit(FrameHeader.BYTES);
  }

  /** A buffer over the memory that the next bytes belong into. */
  ByteBuf nextTarget() {
    handedOut = Unpooled.wrappedBuffer(target.slice()).clear();
    return handedOut;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    sink.streamOpened(stream);
    context.channel().closeFuture().addListener(closed -> sink.streamClosed(stream));
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    ByteBuf read = (ByteBuf) message;
    int bytes = read.readableBytes();
    boolean intoTarget = read == handedOut;
    read.release();
    if (failed) {
      return;
    }
    if (!intoTarget) {
      fail(context,
          new WireException(Fault.UNEXPECTED_FRAME, "%d bytes on stream=%d before its welcome", bytes, stream));
      return;
    }
    target.position(target.position() + bytes);
    bytesReceived += bytes;
    linkBytesReceived.add(bytes);
    try {
      if (!target.hasRemaining()) {
        partComplete(context);
      }
    } catch (WireException | RuntimeException e) {
      fail(context, e);
    }
  }

  private void partComplete(ChannelHandlerContext context) throws WireException {
    switch (part) {
      case HEADER -> headerComplete(context);
      case CHECKED_BODY -> checkedBodyComplete(context);
      case RUN_CONTENTS -> {
        sink.runPlaced(stream, meta(), target);
        nextFrame(context);
      }
      case BATCH_CONTENTS -> {
        sink.batchArrived(stream, meta(), batchContents.clear());
        nextFrame(context);
      }
      case SKIPPED_BODY -> skip(context);
      case CLEARING -> throw new IllegalStateException("stream %d was read while memory is cleared".formatted(stream));
    }
  }

  private void headerComplete(ChannelHandlerContext context) throws WireException {
    header = FrameHeader.read(scratch, 0, sequenceIn);
    sequenceIn++;
    FrameType type = FrameType.ofCode(header.type());
    if (type == null) {
      if (!header.isOptional()) {
        throw new WireException(Fault.UNKNOWN_FRAME, "type=%d on stream=%d", header.type(), stream);
      }
      skipLeft = header.bodyBytes();
      skip(context);
      return;
    }
    int checkedBytes;
    if (type == FrameType.ROUND_END) {
      checkedBytes = header.bodyBytes();
      if (checkedBytes > MAX_MARKER_BYTES) {
        throw new WireException(Fault.BODY_TOO_LONG, "type=%s bodyBytes=%d limit=%d", type, checkedBytes,
            MAX_MARKER_BYTES);
      }
    } else if (type.isPageFrame()) {
      checkedBytes = PageFrameMeta.checkedBodyBytes(type, PageFrameMeta.count(type, header.bodyBytes()));
    } else {
      throw new WireException(Fault.UNEXPECTED_FRAME, "type=%s on data stream=%d", type, stream);
    }
    part = Part.CHECKED_BODY;
    target = scratch.clear().position(FrameHeader.BYTES).limit(FrameHeader.BYTES + checkedBytes);
    if (checkedBytes == 0) {
      checkedBodyComplete(context);
    }
  }

  private void checkedBodyComplete(ChannelHandlerContext context) throws WireException {
    FrameType type = FrameType.ofCode(header.type());
    if (type == FrameType.ROUND_END) {
      roundEnd(context);
      return;
    }
    if (type == null) {
      throw new IllegalStateException("a frame of unknown type has no checked body");
    }
    int count = PageFrameMeta.count(type, header.bodyBytes());
    header.verifyChecksum(scratch, PageFrameMeta.checkedBodyBytes(type, count), crc);
    PageFrameMeta read = PageFrameMeta.of(type, count, scratch);
    meta = read;
    round = read.round();
    switch (type) {
      case PAGE_RUN -> {
        target = sink.runStarts(stream, read);
        part = Part.RUN_CONTENTS;
      }
      case PAGE_BATCH -> {
        sink.batchStarts(stream, read);
        target = batchContents.clear().limit(read.contentBytes());
        part = Part.BATCH_CONTENTS;
      }
      default -> {
        sink.zerosStart(stream, read);
        part = Part.CLEARING;
        clear(context, read, 0);
      }
    }
  }

  /** A short list of ranges may mean a GiB to clear: other streams, and other guests', get their turns in between. */
  private void clear(ChannelHandlerContext context, PageFrameMeta ranges, int from) throws WireException {
    int next = sink.clearSome(stream, ranges, from);
    if (next == ranges.count()) {
      if (!context.channel().config().isAutoRead()) {
        context.channel().config().setAutoRead(true);
      }
      nextFrame(context);
      return;
    }
    context.channel().config().setAutoRead(false);
    if (sink.hasRoomOrTellLater(stream, () -> clearLater(context, ranges, next))) {
      clearLater(context, ranges, next);
    }
  }

  private void clearLater(ChannelHandlerContext context, PageFrameMeta ranges, int from) {
    // Scheduled: what is merely executed comes ahead of everything that waits to be read.
    context.executor().schedule(() -> {
      // Memory is not touched any more once the channel is closed.
      if (failed || !context.channel().isActive()) {
        return;
      }
      try {
        clear(context, ranges, from);
      } catch (WireException | RuntimeException e) {
        fail(context, e);
      }
    }, 0, TimeUnit.NANOSECONDS);
  }

  private void roundEnd(ChannelHandlerContext context) throws WireException {
    MessageLite message = ControlFrames.decode(FrameType.ROUND_END, header, scratch);
    round = ((RoundEnd) message).getRound();
    long pages = sink.roundEnded(stream, round);
    acknowledge(context, pages);
    nextFrame(context);
  }

  /** Reads a body that this version does not know, piece by piece, and forgets it. */
  private void skip(ChannelHandlerContext context) throws WireException {
    if (skipLeft == 0) {
      nextFrame(context);
      return;
    }
    int piece = Math.min(skipLeft, SCRATCH_BYTES);
    skipLeft -= piece;
    part = Part.SKIPPED_BODY;
    target = scratch.clear().limit(piece);
  }

  private void nextFrame(ChannelHandlerContext context) throws WireException {
    meta = null;
    part = Part.HEADER;
    target = scratch.clear().limit(FrameHeader.BYTES);
    if (bytesReceived - bytesAcknowledged >= ACKNOWLEDGE_BYTES) {
      acknowledge(context, 0);
    }
    if (!sink.hasRoomOrTellLater(stream, () -> readOn(context))) {
      context.channel().config().setAutoRead(false);
    }
  }

  private static void readOn(ChannelHandlerContext context) {
    context.channel().eventLoop().execute(() -> context.channel().config().setAutoRead(true));
  }

  /** A peer that reads never lets what the socket does not take grow: an acknowledgement is some forty bytes for a MiB. */
  private void acknowledge(ChannelHandlerContext context, long pages) throws WireException {
    if (!context.channel().isWritable()) {
      throw new WireException(Fault.UNREAD_ACKNOWLEDGEMENTS, "stream=%d does not read what it is told; %d bytes wait",
          stream, context.channel().config().getWriteBufferHighWaterMark());
    }
    bytesAcknowledged = bytesReceived;
    RoundAck ack = RoundAck.newBuilder().setRound(round).setStream(stream).setPages(pages).setBytes(bytesReceived)
        .build();
    context.writeAndFlush(Unpooled.wrappedBuffer(ControlFrames.encode(ack, sequenceOut++)));
  }

  private PageFrameMeta meta() {
    if (meta == null) {
      throw new IllegalStateException("contents without a description");
    }
    return meta;
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    fail(context, new ClosedChannelException());
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    fail(context, cause);
  }

  private void fail(ChannelHandlerContext context, Throwable cause) {
    if (!failed) {
      failed = true;
      // Whatever is still read goes where it harms nobody.
      target = scratch.clear();
      sink.failed(stream, cause);
      context.close();
    }
  }
}
