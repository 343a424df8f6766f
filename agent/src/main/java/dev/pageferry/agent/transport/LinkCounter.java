package dev.pageferry.agent.transport;

import dev.pageferry.agent.transport.LinkPasses.Bounds;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.LinkCounted;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import java.util.concurrent.TimeUnit;

/**
 * Counts bytes that mean nothing, in front of a connection's codec, until they are enough or their time is up; then says how
 * many came. What the first read brought counts only if nothing follows: how long it took to come is not known. The source
 * closes: a connection that is closed here while its bytes still come is reset, and the answer with it.
 */
final class LinkCounter extends SimpleChannelInboundHandler<ByteBuf> {
  /** A source that may send and does not is on a link that swallows large packets. */
  private static final long FIRST_BYTE_SECONDS = 3;
  private static final long CLOSED_WITHIN_SECONDS = 5;

  private final Bounds bounds;
  private final Ticker ticker;
  private boolean begun;
  private boolean ended;
  private long firstNanos;
  private long lastNanos;
  private long firstBytes;
  private long bytes;

  LinkCounter(Bounds bounds, Ticker ticker) {
    this.bounds = bounds;
    this.ticker = ticker;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    context.executor().schedule(() -> {
      if (!begun) {
        end(context);
      }
    }, FIRST_BYTE_SECONDS, TimeUnit.SECONDS);
  }

  @Override
  protected void channelRead0(ChannelHandlerContext context, ByteBuf read) {
    if (ended) {
      return;
    }
    lastNanos = ticker.nanos();
    if (begun) {
      bytes += read.readableBytes();
    } else {
      begun = true;
      firstBytes = read.readableBytes();
      firstNanos = lastNanos;
      context.executor().schedule(() -> end(context), bounds.time().toMillis(), TimeUnit.MILLISECONDS);
    }
    if (bytes >= bounds.bytes()) {
      end(context);
    }
  }

  private void end(ChannelHandlerContext context) {
    if (!ended && context.channel().isActive()) {
      ended = true;
      if (bytes == 0 && begun) {
        bytes = firstBytes;
        lastNanos = ticker.nanos();
      }
      LinkCounted counted = LinkCounted.newBuilder().setBytes(bytes).setSeconds((lastNanos - firstNanos) / 1e9).build();
      // By way of the codec, which is behind this handler.
      context.channel().writeAndFlush(counted);
      context.executor().schedule(() -> context.close(), CLOSED_WITHIN_SECONDS, TimeUnit.SECONDS);
    }
  }
}
