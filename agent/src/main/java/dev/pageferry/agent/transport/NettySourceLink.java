package dev.pageferry.agent.transport;

import com.google.protobuf.ByteString;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.PageFeed;
import dev.pageferry.agent.migration.RoundTransfer;
import dev.pageferry.agent.migration.SourceLink;
import dev.pageferry.agent.wire.StreamProof;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.StreamHello;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.IntStream;

/** The source's sockets of one migration. */
final class NettySourceLink implements SourceLink, ControlledLink {
  /** How long the destination's reason may trail the end of a data stream. */
  private static final Duration LAST_WORDS = Duration.ofMillis(500);
  /** How long the end of the control stream may go unnoticed while data streams open. */
  private static final Duration CONTROL_CHECK = Duration.ofMillis(50);

  private final MigrationId migration;
  private final SocketAddress destination;
  private final StreamConnector connector;
  private final ControlChannel control;
  private final LongAdder bytesSent;
  private final LongAdder dataBytesWritten = new LongAdder();
  private final List<DataStreamSender> streams = new CopyOnWriteArrayList<>();
  private final List<AutoCloseable> sockets = new CopyOnWriteArrayList<>();

  NettySourceLink(MigrationId migration, SocketAddress destination, StreamConnector connector, ControlChannel control,
      LongAdder bytesSent) {
    this.migration = migration;
    this.destination = destination;
    this.connector = connector;
    this.control = control;
    this.bytesSent = bytesSent;
  }

  @Override
  public void openStreams(int count, byte[] sessionKey, Deadline deadline)
      throws MigrationFailure, InterruptedException {
    List<CompletableFuture<StreamConnector.Stream>> opening = IntStream.range(0, count)
        .mapToObj(stream -> connector.open(destination,
            StreamHello.newBuilder().setMigrationId(migration.value()).setStream(stream)
                .setProof(ByteString.copyFrom(StreamProof.of(sessionKey, stream))).build(),
            bytesSent, dataBytesWritten, this::streamBroke))
        .toList();
    // Before the wait: whatever ends it, close() must find every stream, those that are still to open included.
    opening.forEach(each -> sockets.add(() -> abandon(each)));
    for (CompletableFuture<StreamConnector.Stream> each : opening) {
      streams.add(await(each, deadline).sender());
    }
  }

  private static void abandon(CompletableFuture<StreamConnector.Stream> opening) throws Exception {
    if (!opening.cancel(true) && !opening.isCompletedExceptionally()) {
      opening.join().socket().close();
    }
  }

  private <T> T await(CompletableFuture<T> future, Deadline deadline) throws MigrationFailure, InterruptedException {
    while (true) {
      try {
        return future.get(Math.min(deadline.remainingNanos(), CONTROL_CHECK.toNanos()), TimeUnit.NANOSECONDS);
      } catch (ExecutionException e) {
        throw lastWordsOr("a data stream to %s could not be opened: %s".formatted(destination, e.getCause()));
      } catch (TimeoutException e) {
        if (!control.isOpen()) {
          throw lastWordsOr("the control stream ended while data streams were opened");
        }
        if (deadline.hasPassed()) {
          throw new MigrationFailure.PeerLost(FailureCode.DESTINATION_LOST,
              "a data stream to %s was not answered in time".formatted(destination));
        }
      }
    }
  }

  @Override
  public RoundTransfer startRound(int round, List<? extends PageFeed> feeds) {
    CompletableFuture<?>[] written = IntStream.range(0, streams.size())
        .mapToObj(i -> streams.get(i).start(round, feeds.get(i)))
        .toArray(CompletableFuture<?>[]::new);
    CompletableFuture<Void> all = CompletableFuture.allOf(written);
    // The first stream that breaks ends the round: the others may be stuck with a destination that reads no more.
    for (CompletableFuture<?> each : written) {
      each.exceptionally(cause -> {
        all.completeExceptionally(cause);
        return null;
      });
    }
    return atMost -> {
      try {
        all.get(atMost.toNanos(), TimeUnit.NANOSECONDS);
        return true;
      } catch (TimeoutException e) {
        if (!control.isOpen()) {
          throw lastWordsOr("the control stream ended in round " + round);
        }
        return false;
      } catch (ExecutionException e) {
        throw lastWordsOr("a data stream ended in round %d: %s".formatted(round, e.getCause()));
      }
    };
  }

  /** A destination that gives up says why on the control stream, which may arrive after its data streams closed. */
  private MigrationFailure lastWordsOr(String message) throws InterruptedException {
    try {
      control.receiveAny(Deadline.after(LAST_WORDS, Ticker.SYSTEM));
    } catch (MigrationFailure.PeerRefused | MigrationFailure.PeerAtFault reason) {
      return reason;
    } catch (MigrationFailure e) {
      if (!control.isOpen()) {
        return new MigrationFailure.PeerLost(FailureCode.DESTINATION_LOST, message + ": " + e.getMessage());
      }
      // Nothing that says more than the data stream did.
    }
    return new MigrationFailure.PeerLost(FailureCode.DESTINATION_LOST, message);
  }

  private void streamBroke(Throwable cause) {
    // The round that runs hears of it by its own future; a migration that waits on the control stream must be woken.
    control.endSoon(new MigrationFailure.PeerLost(FailureCode.DESTINATION_LOST, "a data stream ended: " + cause),
        LAST_WORDS);
  }

  @Override
  public ControlChannel control() {
    return control;
  }

  @Override
  public long bytesSent() {
    return bytesSent.sum();
  }

  @Override
  public long acknowledgedBytes() {
    return streams.stream().mapToLong(DataStreamSender::acknowledgedBytes).sum();
  }

  @Override
  public long unacknowledgedBytes() {
    return Math.max(0, dataBytesWritten.sum() - acknowledgedBytes());
  }

  @Override
  public void close() {
    control.close();
    for (AutoCloseable each : sockets) {
      try {
        each.close();
      } catch (Exception e) {
        throw new IllegalStateException("a socket could not be closed", e);
      }
    }
  }
}
