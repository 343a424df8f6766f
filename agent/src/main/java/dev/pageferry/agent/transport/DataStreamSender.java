package dev.pageferry.agent.transport;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.migration.PageFeed;
import dev.pageferry.agent.wire.ControlFrames;
import dev.pageferry.agent.wire.PageFrame;
import dev.pageferry.proto.migration.v1.RoundAck;
import dev.pageferry.proto.migration.v1.RoundEnd;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayDeque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The source's end of a data stream. It pulls frames from the round's feed into a few buffers that are used again as
 * soon as the socket has taken them: what is queued is bounded by their number, and the connection's pace is the feed's.
 * Everything but {@link #start} happens on the channel's event loop.
 */
final class DataStreamSender extends SimpleChannelInboundHandler<MessageLite> {
  /** 1 MiB under way: enough to keep the socket busy, little enough to stay in the core's cache. */
  private static final int FRAMES = 4;
  /** After that many frames other channels of the same event loop get their turn. */
  private static final int FRAMES_PER_TURN = 64;

  private final Channel channel;
  private final LongAdder bytesSent;
  private final LongAdder dataBytesWritten;
  private final Consumer<Throwable> onBroken;
  private final ArrayDeque<PageFrame> free = new ArrayDeque<>();
  private volatile long acknowledgedBytes;
  private long sequence;
  /** Frames handed to the socket, on this stream alone. */
  private long bytesWritten;
  private int round;
  private @Nullable PageFeed feed;
  private @Nullable CompletableFuture<Void> written;
  private boolean pumping;
  private @Nullable Throwable broken;

  /** @param sequence frames written on this channel before */
  DataStreamSender(Channel channel, long sequence, LongAdder bytesSent, LongAdder dataBytesWritten,
      Consumer<Throwable> onBroken) {
    this.channel = channel;
    this.sequence = sequence;
    this.bytesSent = bytesSent;
    this.dataBytesWritten = dataBytesWritten;
    this.onBroken = onBroken;
    for (int i = 0; i < FRAMES; i++) {
      free.add(new PageFrame());
    }
  }

  /**
   * Starts a round.
   *
   * @return completes when the round's end has been handed to the socket
   */
  CompletableFuture<Void> start(int newRound, PageFeed newFeed) {
    CompletableFuture<Void> future = new CompletableFuture<>();
    channel.eventLoop().execute(() -> {
      round = newRound;
      feed = newFeed;
      written = future;
      if (broken != null) {
        future.completeExceptionally(broken);
      }
      pump();
    });
    return future;
  }

  /** What the destination has received on this stream. */
  long acknowledgedBytes() {
    return acknowledgedBytes;
  }

  private void pump() {
    if (pumping || broken != null) {
      return;
    }
    pumping = true;
    try {
      for (int i = 0; feed != null && !free.isEmpty(); i++) {
        if (i == FRAMES_PER_TURN) {
          channel.eventLoop().execute(this::pump);
          return;
        }
        sendNext(feed);
      }
    } catch (RuntimeException | Error e) {
      // An Error, too: a feed that failed half-way has gone past pages that it did not send.
      breakDown(e);
    } finally {
      pumping = false;
    }
  }

  private void sendNext(PageFeed from) {
    // Last in, first out: the buffer that the core's cache still holds.
    PageFrame frame = free.removeLast();
    switch (from.fill(frame)) {
      case FILLED -> {
        frame.finish(sequence++);
        send(frame);
      }
      case WAIT -> {
        free.addLast(frame);
        feed = null;
        channel.eventLoop().schedule(() -> {
          feed = from;
          pump();
        }, from.waitNanos(), TimeUnit.NANOSECONDS);
      }
      case END -> {
        free.addLast(frame);
        feed = null;
        sendRoundEnd();
      }
    }
  }

  private void send(PageFrame frame) {
    int bytes = frame.bytes();
    bytesWritten += bytes;
    bytesSent.add(bytes);
    dataBytesWritten.add(bytes);
    channel.writeAndFlush(Unpooled.wrappedBuffer(frame.buffer())).addListener(sent -> {
      free.addLast(frame);
      if (sent.isSuccess()) {
        pump();
      } else {
        breakDown(sent.cause());
      }
    });
  }

  private void sendRoundEnd() {
    ByteBuffer marker = ControlFrames.encode(RoundEnd.newBuilder().setRound(round).build(), sequence++);
    bytesWritten += marker.remaining();
    bytesSent.add(marker.remaining());
    dataBytesWritten.add(marker.remaining());
    CompletableFuture<Void> ended = written;
    channel.writeAndFlush(Unpooled.wrappedBuffer(marker)).addListener(sent -> {
      if (!sent.isSuccess()) {
        breakDown(sent.cause());
      } else if (ended != null) {
        ended.complete(null);
      }
    });
  }

  @Override
  protected void channelRead0(ChannelHandlerContext context, MessageLite message) {
    if (message instanceof RoundAck ack) {
      acknowledged(context, ack.getBytes());
    } else {
      breakDown(new IllegalStateException(
          "the destination sent %s on a data stream".formatted(message.getClass().getSimpleName())));
      context.close();
    }
  }

  /** What the destination says decides when the guest is paused: it cannot have received more than was sent, nor less than before. */
  private void acknowledged(ChannelHandlerContext context, long bytes) {
    if (bytes <= acknowledgedBytes || bytes > bytesWritten) {
      breakDown(new IllegalStateException(
          "the destination acknowledged %s bytes on a data stream, after %d and of %d that were sent".formatted(
              Long.toUnsignedString(bytes), acknowledgedBytes, bytesWritten)));
      context.close();
      return;
    }
    acknowledgedBytes = bytes;
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    breakDown(new ClosedChannelException());
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    breakDown(cause);
    context.close();
  }

  private void breakDown(@Nullable Throwable cause) {
    if (broken != null) {
      return;
    }
    broken = cause == null ? new ClosedChannelException() : cause;
    feed = null;
    if (written != null) {
      written.completeExceptionally(broken);
    }
    onBroken.accept(broken);
  }
}
