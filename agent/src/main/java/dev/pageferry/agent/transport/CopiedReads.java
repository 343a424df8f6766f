package dev.pageferry.agent.transport;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import java.util.ArrayDeque;
import java.util.function.Supplier;

/**
 * Behind TLS a receiver cannot say where the socket's bytes go: what was decrypted is copied there, once. What comes while the
 * receiver does not read is held; that is at most what one turn of the socket brings, since the socket is not read either.
 */
final class CopiedReads extends ChannelDuplexHandler {
  private final Supplier<ByteBuf> nextTarget;
  private final ArrayDeque<ByteBuf> held = new ArrayDeque<>();
  private boolean draining;

  /** @param nextTarget gives an empty buffer over the place of the next bytes */
  CopiedReads(Supplier<ByteBuf> nextTarget) {
    this.nextTarget = nextTarget;
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    held.add((ByteBuf) message);
    drain(context);
  }

  /** The receiver wants to read on: first what is held, behind what it is doing now. */
  @Override
  public void read(ChannelHandlerContext context) {
    if (held.isEmpty()) {
      context.read();
    } else {
      context.executor().execute(() -> {
        drain(context);
        if (held.isEmpty() && context.channel().config().isAutoRead()) {
          context.read();
        }
      });
    }
  }

  private void drain(ChannelHandlerContext context) {
    if (draining) {
      return;
    }
    draining = true;
    try {
      // Memory is not touched any more once the channel is closed.
      while (!held.isEmpty() && context.channel().config().isAutoRead() && context.channel().isActive()) {
        ByteBuf from = held.peek();
        ByteBuf target = nextTarget.get();
        target.writeBytes(from, Math.min(from.readableBytes(), target.writableBytes()));
        if (!from.isReadable()) {
          held.remove().release();
        }
        context.fireChannelRead(target);
      }
    } finally {
      draining = false;
    }
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext context) {
    while (!held.isEmpty()) {
      held.remove().release();
    }
  }
}
