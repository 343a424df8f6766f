package dev.pageferry.simulation;

import dev.pageferry.agent.migration.PageFeed;
import dev.pageferry.agent.migration.PageSink;
import dev.pageferry.agent.wire.FrameHeader;
import dev.pageferry.agent.wire.FrameType;
import dev.pageferry.agent.wire.PageFrame;
import dev.pageferry.agent.wire.PageFrameMeta;
import dev.pageferry.agent.wire.WireException;
import dev.pageferry.common.concurrent.Signal;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A data stream: pulls frames from a round's feed as a socket's thread does, and brings them to the other side, in order. */
final class SimulatedStream {

  private final int number;
  private final SimulatedLink link;
  private final Baton baton;
  private final SimulatedLinks links;
  private final SimulatedScheduler source;
  private final PageSink sink;
  private final SimulatedScheduler destination;
  private final Signal moved;
  private final PageFrame frame = new PageFrame();
  private @Nullable PageFeed feed;
  private int round;
  private boolean written = true;
  private long sequenceOut;
  private long sequenceIn;
  private long lastArrivalNanos;
  private long writtenBytes;
  private long acknowledgedBytes;

  SimulatedStream(int number, SimulatedLink link, Baton baton, SimulatedLinks links, SimulatedScheduler source,
      PageSink sink, SimulatedScheduler destination, Signal moved) {
    this.number = number;
    this.link = link;
    this.baton = baton;
    this.links = links;
    this.source = source;
    this.sink = sink;
    this.destination = destination;
    this.moved = moved;
  }

  void start(int newRound, PageFeed newFeed) {
    round = newRound;
    feed = newFeed;
    written = false;
    fillAfter(0);
  }

  private void fillAfter(long nanos) {
    baton.at(baton.nanos() + nanos, source.name(), "stream %d writes".formatted(number), this::fill);
  }

  private void fill() {
    if (source.isSealed() || !link.source().isOpen()) {
      return;
    }
    PageFeed filling = Objects.requireNonNull(feed);
    switch (filling.fill(frame)) {
      case FILLED -> {
        frame.finish(sequenceOut++);
        byte[] bytes = new byte[frame.bytes()];
        frame.buffer().get(0, bytes);
        writtenBytes += bytes.length;
        arrives("%d bytes on stream %d".formatted(bytes.length, number), () -> receive(bytes));
        fillAfter((long) (bytes.length * links.nanosPerByte()));
      }
      case WAIT -> fillAfter(filling.waitNanos());
      case END -> {
        int ended = round;
        written = true;
        arrives("the end of round %d on stream %d".formatted(ended, number), () -> sink.roundEnded(number, ended));
        moved.raise();
      }
    }
  }

  private interface Arrival {
    void happen() throws WireException;
  }

  private void arrives(String what, Arrival arrival) {
    long bytesThen = writtenBytes;
    lastArrivalNanos = Math.max(lastArrivalNanos + 1, baton.nanos() + links.latencyNanos());
    baton.at(lastArrivalNanos, destination.name(), what, () -> {
      if (link.isCut() || destination.isSealed() || !link.destination().isOpen()) {
        return;
      }
      try {
        arrival.happen();
      } catch (WireException e) {
        sink.failed(number, e);
        return;
      }
      baton.at(baton.nanos() + links.latencyNanos(), source.name(), "acknowledged", () -> {
        if (!link.isCut()) {
          acknowledgedBytes = Math.max(acknowledgedBytes, bytesThen);
        }
      });
    });
  }

  private void receive(byte[] bytes) throws WireException {
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    FrameHeader header = FrameHeader.read(buffer, 0, sequenceIn++);
    FrameType type = Objects.requireNonNull(FrameType.ofCode(header.type()));
    int count = PageFrameMeta.count(type, header.bodyBytes());
    PageFrameMeta meta = PageFrameMeta.of(type, count, buffer);
    ByteBuffer contents = buffer.slice(bytes.length - meta.contentBytes(), meta.contentBytes())
        .order(ByteOrder.LITTLE_ENDIAN);
    switch (type) {
      case PAGE_RUN -> {
        ByteBuffer window = sink.runStarts(number, meta);
        window.put(contents);
        sink.runPlaced(number, meta, window);
      }
      case PAGE_BATCH -> {
        sink.batchStarts(number, meta);
        sink.batchArrived(number, meta, contents);
      }
      default -> {
        sink.zerosStart(number, meta);
        // Other streams' turns come between messages, not within one: nothing here takes that long.
        int next = 0;
        while (next < meta.count()) {
          next = sink.clearSome(number, meta, next);
        }
      }
    }
  }

  boolean isWritten() {
    return written;
  }

  long writtenBytes() {
    return writtenBytes;
  }

  long acknowledgedBytes() {
    return acknowledgedBytes;
  }
}
