package dev.pageferry.simulation;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.migration.DestinationLink;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.PageFeed;
import dev.pageferry.agent.migration.PageSink;
import dev.pageferry.agent.migration.RoundTransfer;
import dev.pageferry.agent.migration.SourceLink;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Deadline;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The control stream and the data streams of one migration, both ends of them. */
final class SimulatedLink {
  /** As long as the keep-alive of a real link needs to miss its peer. */
  private static final long SILENCE_NANOS = 5_000_000_000L;
  private static final long SILENCE_SPREAD_NANOS = 1_000_000_000L;

  private final Baton baton;
  private final SimulatedLinks links;
  private final SourceEnd source;
  private final DestinationEnd destination;
  private Consumer<MessageLite> first = message -> {
  };
  private boolean hasSpoken;
  private boolean cut;

  SimulatedLink(Baton baton, SimulatedLinks links, SimulatedScheduler sourceHost, SimulatedScheduler destinationHost) {
    this.baton = baton;
    this.links = links;
    this.source = new SourceEnd(sourceHost);
    this.destination = new DestinationEnd(destinationHost);
  }

  SourceLink source() {
    return source;
  }

  DestinationLink destination() {
    return destination;
  }

  /** Who meets the source. */
  void firstMessage(Consumer<MessageLite> handler) {
    first = handler;
  }

  boolean isWhole() {
    return !cut && source.control.isOpen() && destination.control.isOpen();
  }

  boolean isOf(SimulatedScheduler host) {
    return source.control.host() == host || destination.control.host() == host;
  }

  boolean isCut() {
    return cut;
  }

  void cut() {
    cut = true;
    baton.trace("link", "cut");
    for (End each : List.of(source, destination)) {
      long notices = SILENCE_NANOS + links.random().nextLong(SILENCE_SPREAD_NANOS);
      baton.at(baton.nanos() + notices, each.control.host().name(), "misses its peer",
          () -> each.ends("the peer was silent"));
    }
  }

  /** What both ends have. */
  private abstract class End {
    final SimulatedControl control;
    private long lastArrivalNanos;

    End(SimulatedScheduler host, FailureCode lostCode) {
      control = new SimulatedControl(host, lostCode);
    }

    abstract End otherEnd();

    abstract void dataEnds(String reason);

    void ends(String reason) {
      if (!control.host().isSealed() && control.end(reason)) {
        dataEnds(reason);
      }
    }

    /** Something comes to the peer, behind all that was sent before. */
    void deliver(String what, Runnable action) {
      lastArrivalNanos = Math.max(lastArrivalNanos + 1, baton.nanos() + links.latencyNanos());
      baton.at(lastArrivalNanos, otherEnd().control.host().name(), what, () -> {
        if (!cut && !otherEnd().control.host().isSealed()) {
          action.run();
        }
      });
    }

    public void send(MessageLite message) {
      control.host().requireAlive();
      if (control.isOpen()) {
        deliver("receives " + message.getClass().getSimpleName(), () -> otherEnd().receive(message));
        links.sent(SimulatedLink.this, message);
      }
    }

    void receive(MessageLite message) {
      control.arrive(message);
    }

    public MessageLite receiveAny(Deadline deadline, Class<?>... kinds) throws MigrationFailure, InterruptedException {
      return control.receiveAny(deadline, kinds);
    }

    public boolean awaitNews(Deadline deadline) throws InterruptedException {
      return control.awaitNews(deadline);
    }

    public boolean isOpen() {
      return control.isOpen();
    }

    public double roundTripSeconds() {
      return 0.001;
    }

    public void close() {
      if (control.host().isSealed()) {
        return;
      }
      if (control.isOpen()) {
        deliver("the link was closed", () -> otherEnd().ends("the link was closed"));
      }
      ends("this side closed the link");
    }
  }

  private final class SourceEnd extends End implements SourceLink {
    private final Signal moved;
    private SimulatedStream[] streams = {};
    private @Nullable String broken;

    SourceEnd(SimulatedScheduler host) {
      super(host, FailureCode.DESTINATION_LOST);
      moved = host.newSignal();
    }

    @Override
    End otherEnd() {
      return destination;
    }

    @Override
    void dataEnds(String reason) {
      broken = reason;
      moved.raise();
    }

    @Override
    public void openStreams(int count, byte[] sessionKey, Deadline deadline)
        throws MigrationFailure, InterruptedException {
      Promise<Boolean> opened = control.host().newPromise();
      deliver("data streams arrive", () -> {
        if (destination.admits(count, sessionKey)) {
          destination.deliver("data streams are welcome", () -> opened.complete(true));
        }
      });
      if (opened.await(SimulatedLinks.left(deadline)).isEmpty()) {
        throw new MigrationFailure.PeerLost(FailureCode.DESTINATION_LOST, "data streams were not answered in time");
      }
      streams = IntStream.range(0, count)
          .mapToObj(i -> new SimulatedStream(i, SimulatedLink.this, baton, links, control.host(), destination.sink(),
              destination.control.host(), moved))
          .toArray(SimulatedStream[]::new);
    }

    @Override
    public RoundTransfer startRound(int round, List<? extends PageFeed> feeds) {
      for (int i = 0; i < streams.length; i++) {
        streams[i].start(round, feeds.get(i));
      }
      return atMost -> {
        boolean inTime = moved.await(
            () -> broken != null || Arrays.stream(streams).allMatch(SimulatedStream::isWritten), atMost);
        if (broken != null) {
          throw lastWords();
        }
        return inTime;
      };
    }

    /** A destination that gives up says why. */
    private MigrationFailure lastWords() throws InterruptedException {
      try {
        control.receiveAny(Deadline.after(java.time.Duration.ZERO, control.host()));
      } catch (MigrationFailure reason) {
        return reason;
      }
      return new MigrationFailure.PeerLost(FailureCode.DESTINATION_LOST, String.valueOf(broken));
    }

    @Override
    public long bytesSent() {
      return Arrays.stream(streams).mapToLong(SimulatedStream::writtenBytes).sum();
    }

    @Override
    public long acknowledgedBytes() {
      return Arrays.stream(streams).mapToLong(SimulatedStream::acknowledgedBytes).sum();
    }

    @Override
    public long unacknowledgedBytes() {
      return bytesSent() - acknowledgedBytes();
    }
  }

  private final class DestinationEnd extends End implements DestinationLink {
    private @Nullable PageSink sink;
    private byte[] key = {};
    private int streamCount;
    private int opened;

    DestinationEnd(SimulatedScheduler host) {
      super(host, FailureCode.SOURCE_LOST);
    }

    @Override
    End otherEnd() {
      return source;
    }

    @Override
    void receive(MessageLite message) {
      if (!hasSpoken) {
        hasSpoken = true;
        first.accept(message);
      } else {
        super.receive(message);
      }
    }

    @Override
    public void acceptStreams(int count, byte[] sessionKey, PageSink pageSink) {
      control.host().requireAlive();
      streamCount = count;
      key = sessionKey;
      sink = pageSink;
    }

    boolean admits(int count, byte[] proof) {
      if (sink == null || count != streamCount || !Arrays.equals(key, proof) || !control.isOpen()) {
        return false;
      }
      for (int i = 0; i < count; i++) {
        sink.streamOpened(i);
        opened++;
      }
      return true;
    }

    PageSink sink() {
      return Objects.requireNonNull(sink);
    }

    @Override
    void dataEnds(String reason) {
      for (int i = 0; i < opened; i++) {
        sink().failed(i, new java.nio.channels.ClosedChannelException());
        sink().streamClosed(i);
      }
    }

    @Override
    public long bytesReceived() {
      return source.acknowledgedBytes();
    }
  }
}
