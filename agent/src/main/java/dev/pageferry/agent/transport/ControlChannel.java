package dev.pageferry.agent.transport;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.wire.WireException;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.Ping;
import dev.pageferry.proto.migration.v1.Pong;
import dev.pageferry.proto.migration.v1.Refusal;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One end of a control stream: a bounded queue of messages for the migration's thread, pings that show whether the peer
 * lives, and the news that it does not.
 */
final class ControlChannel extends SimpleChannelInboundHandler<MessageLite> {
  private static final int MAX_QUEUED = 64;
  /** Of all messages that wait, but for one: a body of a MiB is the longest that a frame may have. */
  private static final int MAX_QUEUED_BYTES = 1 << 20;
  /** Pings and pongs between two pings of this side, which are a second apart: a peer sends one or two of each. */
  private static final int MAX_KEEP_ALIVES = 64;
  /** A reason is a line; it goes into logs and reports. */
  private static final int MAX_REASON_CHARS = 1000;
  private static final long PING_INTERVAL_MILLIS = 1000;
  /** The first pings follow each other faster, so that the round trip is known early. */
  private static final long FIRST_PING_INTERVAL_MILLIS = 20;
  private static final long SILENCE_LIMIT_MILLIS = 5000;

  /** The stream ended; what to tell the migration. */
  private record Ended(MigrationFailure failure) {
  }

  private final FailureCode lostCode;
  private final BlockingQueue<Object> inbox = new ArrayBlockingQueue<>(MAX_QUEUED + 1);
  /** What was taken from the inbox ahead of being received; the receiving thread's. */
  private @Nullable Object news;
  private final AtomicInteger queuedBytes = new AtomicInteger();
  private volatile @Nullable Channel channel;
  private volatile double roundTripSeconds;
  private volatile @Nullable MigrationFailure ended;
  private @Nullable ChannelHandlerContext handler;
  private volatile boolean pinging;
  private long lastHeardNanos;
  private long lastTickNanos;
  private int keepAlives;
  private long pingIntervalMillis = FIRST_PING_INTERVAL_MILLIS;

  /** @param lostCode what the loss of the peer is called on this side */
  ControlChannel(FailureCode lostCode) {
    this.lostCode = lostCode;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    channel = context.channel();
    lastHeardNanos = System.nanoTime();
    lastTickNanos = lastHeardNanos;
    handler = context;
    if (context.channel().isActive()) {
      startPinging();
    }
  }

  /** Begins with the pings, once: an accepted stream's at once, a connecting one's behind its hello. */
  private void startPinging() {
    if (!pinging && handler != null) {
      pinging = true;
      tick(handler);
    }
  }

  private void tick(ChannelHandlerContext context) {
    if (!context.channel().isActive()) {
      return;
    }
    long now = System.nanoTime();
    if (now - lastTickNanos > TimeUnit.MILLISECONDS.toNanos(2 * PING_INTERVAL_MILLIS)) {
      // This process itself stood still: that the peer was not heard says nothing about the peer.
      lastHeardNanos = now;
    }
    lastTickNanos = now;
    if (now - lastHeardNanos > TimeUnit.MILLISECONDS.toNanos(SILENCE_LIMIT_MILLIS)) {
      end(new MigrationFailure.PeerLost(lostCode,
          "the peer %s was silent for %d ms".formatted(context.channel().remoteAddress(),
              SILENCE_LIMIT_MILLIS)));
      context.close();
      return;
    }
    keepAlives = 0;
    if (context.channel().isWritable()) {
      context.writeAndFlush(Ping.newBuilder().setNonce(now).build());
    }
    context.executor().schedule(() -> tick(context), pingIntervalMillis, TimeUnit.MILLISECONDS);
    pingIntervalMillis = Math.min(PING_INTERVAL_MILLIS, 2 * pingIntervalMillis);
  }

  @Override
  protected void channelRead0(ChannelHandlerContext context, MessageLite message) {
    if (!isOpen()) {
      return;
    }
    lastHeardNanos = System.nanoTime();
    if ((message instanceof Ping || message instanceof Pong) && ++keepAlives > MAX_KEEP_ALIVES) {
      refuse(context, "the peer sent more than %d keep-alives at once".formatted(MAX_KEEP_ALIVES));
      return;
    }
    switch (message) {
      case Ping ping -> {
        // A peer that floods with pings and reads no answer must not fill this host's memory with them.
        if (context.channel().isWritable()) {
          context.writeAndFlush(Pong.newBuilder().setNonce(ping.getNonce()).build());
        }
      }
      case Pong pong -> measured((lastHeardNanos - pong.getNonce()) / 1e9);
      default -> {
        int bytes = message.getSerializedSize();
        int waiting = queuedBytes.get();
        if (inbox.size() >= MAX_QUEUED) {
          refuse(context, "the peer sent more than %d control messages at once".formatted(MAX_QUEUED));
        } else if (waiting > 0 && waiting + bytes > MAX_QUEUED_BYTES) {
          refuse(context, "the peer sent more than %d bytes of control messages at once".formatted(MAX_QUEUED_BYTES));
        } else {
          queuedBytes.addAndGet(bytes);
          inbox.add(message);
        }
      }
    }
  }

  /** The shortest is the link's; what longer ones add is queues and busy processors. */
  private void measured(double seconds) {
    if (seconds > 0 && (roundTripSeconds == 0 || seconds < roundTripSeconds)) {
      roundTripSeconds = seconds;
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    end(new MigrationFailure.PeerLost(lostCode,
        "the link to %s was closed".formatted(context.channel().remoteAddress())));
    context.fireChannelInactive();
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    Throwable root = MigrationTls.reason(cause);
    if (root instanceof WireException) {
      refuse(context, String.valueOf(root.getMessage()));
    } else {
      end(new MigrationFailure.PeerLost(lostCode,
          "the link to %s broke: %s".formatted(context.channel().remoteAddress(), root.getMessage())));
      context.close();
    }
  }

  /** The peer broke the protocol: it is told how before the stream is closed. */
  private void refuse(ChannelHandlerContext context, String message) {
    if (end(new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION, message))) {
      context
          .writeAndFlush(
              Refusal.newBuilder().setCode(FailureCode.PROTOCOL_VIOLATION.name()).setMessage(message).build())
          .addListener(ChannelFutureListener.CLOSE);
    } else {
      context.close();
    }
  }

  /** Ends the stream for the migration's thread, once, behind what was received before; false if it had ended already. */
  boolean end(MigrationFailure failure) {
    synchronized (inbox) {
      if (ended != null) {
        return false;
      }
      ended = failure;
    }
    if (!inbox.offer(new Ended(failure))) {
      throw new IllegalStateException("a control stream's inbox has no room for its end");
    }
    return true;
  }

  /** Ends the stream after a grace in which the peer may still say why. */
  void endSoon(MigrationFailure failure, Duration grace) {
    Channel open = channel;
    if (open != null && open.isActive()) {
      open.eventLoop().schedule(() -> end(failure), grace.toMillis(), TimeUnit.MILLISECONDS);
    }
  }

  void send(MessageLite message) {
    Channel to = channel;
    if (to != null) {
      to.writeAndFlush(message, to.voidPromise());
      if (!pinging) {
        to.eventLoop().execute(this::startPinging);
      }
    }
  }

  boolean awaitNews(Deadline deadline) throws InterruptedException {
    if (news == null) {
      news = inbox.poll(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
    }
    return news != null;
  }

  MessageLite receiveAny(Deadline deadline, Class<?>... kinds) throws MigrationFailure, InterruptedException {
    boolean _ = awaitNews(deadline);
    Object next = news;
    news = null;
    if (next instanceof MessageLite message) {
      queuedBytes.addAndGet(-message.getSerializedSize());
    }
    return switch (next) {
      case null -> throw new MigrationFailure.PeerLost(lostCode, "the peer sent no %s in time".formatted(names(kinds)));
      case Ended(MigrationFailure failure) -> {
        // Whoever asks again is told again.
        inbox.add(next);
        throw failure;
      }
      case Refusal refusal -> throw new MigrationFailure.PeerRefused(codeOf(refusal), reasonOf(refusal));
      case MessageLite message when Arrays.stream(kinds).anyMatch(kind -> kind.isInstance(message)) -> message;
      default ->
        throw new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION, "received %s, expected %s".formatted(
            next.getClass().getSimpleName(), names(kinds)));
    };
  }

  private static FailureCode codeOf(Refusal refusal) {
    try {
      return FailureCode.valueOf(refusal.getCode());
    } catch (IllegalArgumentException e) {
      return FailureCode.DESTINATION_REFUSED;
    }
  }

  private static String reasonOf(Refusal refusal) {
    String reason = refusal.getMessage();
    return reason.length() <= MAX_REASON_CHARS ? reason : reason.substring(0, MAX_REASON_CHARS) + "...";
  }

  private static String names(Class<?>... kinds) {
    return kinds.length == 0
        ? "nothing"
        : Arrays.stream(kinds).map(Class::getSimpleName).collect(Collectors.joining(" or "));
  }

  boolean isOpen() {
    return ended == null;
  }

  double roundTripSeconds() {
    return roundTripSeconds;
  }

  /** Closes the stream once everything queued has been written. */
  void close() {
    end(new MigrationFailure.PeerLost(lostCode, "this side closed the link"));
    Channel closing = channel;
    if (closing != null) {
      closing.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
    }
  }
}
