package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.disk.IncomingDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.memory.ChecksumTable;
import dev.pageferry.agent.memory.PageChecksum;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.PageSink;
import dev.pageferry.agent.migration.PageSpace;
import dev.pageferry.agent.wire.FrameType;
import dev.pageferry.agent.wire.PageFrameMeta;
import dev.pageferry.agent.wire.WireException;
import dev.pageferry.agent.wire.WireException.Fault;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.migration.MigrationLimits;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What arrives on the data streams of a migration: checks that each page is one that may come now, and right, and hands it to
 * {@link MemoryPlacement} or {@link DiskPlacement}. Keeps the checksum of every one. Each stream calls from its own thread.
 */
final class PagePlacement implements PageSink {
  /** One stream's state; written by its thread, published to the migration's by {@link #roundEnded}. */
  private static final class Stream {
    private final PageChecksum checksum = new PageChecksum();
    /** The round that frames must carry. */
    private int round;
    private long pagesPlaced;
    private int roundsEnded;
    private long lastPlacedNanos;
    /** A frame of {@link #round} has begun. */
    private boolean begun;
  }

  /** Pages cleared before other streams get their turn: as many bytes as a stream is read for at a time. */
  private static final int CLEARED_PER_TURN = 2048;
  /** Pages that need no clearing cost a look each. */
  private static final int LOOKS_PER_CLEARING = 64;

  private final PageSpace space;
  private final MemoryPlacement memory;
  /** The VM's disks, where they come too. */
  private final Optional<DiskPlacement> disks;
  private final ReceivedPages pages;
  private final ChecksumTable checksums;
  private final Stream[] streams;
  private final Ticker ticker;
  /** Raised when a stream has ended a round, or failed. */
  private final Signal moved;
  private final Consumer<Throwable> onFailure;
  private volatile long firstNanos;
  /** Guarded by this. */
  private @Nullable Throwable failure;
  /**
   * Guarded by this. Once everything is here no frame may touch memory any more, not even an honest one: the digest has
   * been compared, and the guest may run at any moment. And a data stream that ends is not a failure then.
   */
  private boolean complete;
  /** The migration's thread's. */
  private int flushesAhead;

  /** @param onFailure told once, from a stream's thread, when a stream breaks or its peer misbehaves */
  PagePlacement(IncomingGuest vm, Optional<IncomingDisks> disks, int streamCount, Scheduler scheduler,
      Consumer<Throwable> onFailure) {
    this.space = disks.isPresent() ? PageSpace.ofRamAndDisks(vm.spec()) : PageSpace.ofRam(vm.spec());
    this.memory = new MemoryPlacement(vm, streamCount);
    this.pages = new ReceivedPages(space.pageCount());
    this.checksums = new ChecksumTable(space.pageCount());
    checksums.prepare(0, vm.ram().pageCount());
    this.streams = IntStream.range(0, streamCount).mapToObj(i -> new Stream()).toArray(Stream[]::new);
    this.ticker = scheduler;
    this.moved = scheduler.newSignal();
    this.onFailure = onFailure;
    // Last: it starts threads, which nobody would end if something else failed.
    this.disks = disks.map(incoming -> new DiskPlacement(space, incoming, streamCount, this::failed));
  }

  private boolean isOnDisk(long page) {
    return !space.isRam(page);
  }

  private DiskPlacement disks() {
    return disks.orElseThrow(() -> new IllegalStateException("pages of disks were let in, and none come"));
  }

  @Override
  public void streamOpened(int stream) {
    memory.streamOpened(stream);
  }

  @Override
  public void streamClosed(int stream) {
    memory.streamClosed(stream);
  }

  @Override
  public boolean hasRoomOrTellLater(int stream, Runnable later) {
    return disks.isEmpty() || disks.get().hasRoomOrTellLater(stream, later);
  }

  @Override
  public ByteBuffer runStarts(int stream, PageFrameMeta run) throws WireException {
    verify(stream, run);
    return isOnDisk(run.page(0))
        ? disks().runStarts(stream, run.count())
        : memory.window(run.page(0), run.count());
  }

  @Override
  public void runPlaced(int stream, PageFrameMeta run, ByteBuffer window) throws WireException {
    for (int i = 0; i < run.count(); i++) {
      verifyAndRecord(stream, run, i, window);
    }
    pages.hold(run.page(0), run.count());
    if (isOnDisk(run.page(0))) {
      disks().runArrived(stream, run.page(0), run.count(), window);
    } else {
      memory.runArrived(run.page(0), run.count());
    }
    countPlaced(stream, run.count());
  }

  @Override
  public void batchStarts(int stream, PageFrameMeta batch) throws WireException {
    verify(stream, batch);
    for (int i = 0; i < batch.count(); i++) {
      if (isOnDisk(batch.page(i))) {
        throw new WireException(Fault.UNEXPECTED_FRAME, "page=%d is a disk's, which come in runs", batch.page(i));
      }
    }
  }

  @Override
  public void batchArrived(int stream, PageFrameMeta batch, ByteBuffer contents) throws WireException {
    for (int i = 0; i < batch.count(); i++) {
      verifyAndRecord(stream, batch, i, contents);
      pages.hold(batch.page(i), 1);
      memory.copyIn(batch.page(i), contents, i);
    }
    countPlaced(stream, batch.count());
  }

  @Override
  public void zerosStart(int stream, PageFrameMeta ranges) throws WireException {
    verify(stream, ranges);
  }

  @Override
  public int clearSome(int stream, PageFrameMeta ranges, int from) {
    int next = from;
    for (long work = 0; next < ranges.count() && work < CLEARED_PER_TURN * LOOKS_PER_CLEARING; next++) {
      long first = ranges.page(next);
      long length = ranges.length(next);
      work += length + LOOKS_PER_CLEARING * clear(stream, first, first + length);
    }
    if (next == ranges.count()) {
      countPlaced(stream, 0);
    }
    return next;
  }

  /**
   * Neighbours at a time: on a disk each stretch is a request. A page of which nothing came is zero already; its checksum would
   * not tell, others have the same.
   *
   * @return pages that were cleared
   */
  private long clear(int stream, long first, long end) {
    long cleared = 0;
    for (long page = first; page < end; page++) {
      long from = page;
      while (page < end && pages.clear(page)) {
        checksums.set(page++, PageChecksum.OF_ZERO_PAGE);
      }
      if (page == from) {
        continue;
      }
      if (isOnDisk(from)) {
        disks().zero(stream, from, page - from);
      } else {
        memory.zero(from, page - from);
      }
      cleared += page - from;
    }
    return cleared;
  }

  @Override
  public synchronized long roundEnded(int stream, int round) throws WireException {
    Stream state = streams[stream];
    if (complete || round != state.round) {
      throw new WireException(Fault.WRONG_ROUND, "stream=%d ends round=%d expected=%d", stream, round, state.round);
    }
    if (round >= MigrationLimits.MAX_ROUNDS) {
      throw new WireException(Fault.TOO_MANY_ROUNDS, "stream=%d round=%d; a migration has at most %d", stream, round,
          MigrationLimits.MAX_ROUNDS);
    }
    state.round++;
    state.begun = false;
    state.roundsEnded++;
    moved.raise();
    return state.pagesPlaced;
  }

  @Override
  public void failed(int stream, Throwable cause) {
    synchronized (this) {
      if (failure != null || complete) {
        return;
      }
      failure = cause;
      moved.raise();
    }
    onFailure.accept(cause);
  }

  /**
   * Waits until every stream has ended the round, and closes memory to all frames.
   *
   * @return false if that takes longer
   * @throws MigrationFailure.PeerAtFault if a stream has gone on behind the last round
   */
  boolean awaitLastRound(int lastRound, Deadline deadline) throws MigrationFailure, InterruptedException {
    return moved.await(() -> hasEndedOrFailed(lastRound), Duration.ofNanos(deadline.remainingNanos()))
        && complete(lastRound);
  }

  private synchronized boolean hasEndedOrFailed(int round) {
    return failure != null || Arrays.stream(streams).allMatch(each -> each.roundsEnded > round);
  }

  private synchronized boolean complete(int lastRound) throws MigrationFailure {
    if (failure != null) {
      throw new MigrationFailure.PeerLost(FailureCode.SOURCE_LOST, "a data stream ended: " + failure.getMessage());
    }
    if (Arrays.stream(streams).anyMatch(each -> each.begun || each.roundsEnded != lastRound + 1)) {
      throw new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION,
          "pages came behind round %d, which was to be the last"
              .formatted(lastRound));
    }
    complete = true;
    return true;
  }

  /** More rounds are to come. */
  synchronized void reopen() {
    complete = false;
  }

  /** Ends the streams' hold on memory; after {@link #awaitLastRound}, when no more rounds can come. */
  synchronized void giveMemoryBack() {
    if (!complete) {
      throw new IllegalStateException("pages may still come");
    }
    memory.giveBack();
  }

  /**
   * Makes safe what came for the disks so far, ahead of the pause.
   *
   * @throws MigrationFailure.PeerAtFault if that is asked more often than rounds can come
   */
  void flushDisksAhead() throws MigrationFailure, InterruptedException {
    // The control stream may be ahead of the data streams, so that rounds that ended here are no measure.
    if (++flushesAhead > MigrationLimits.MAX_ROUNDS) {
      throw new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION,
          "disks were to be flushed more than %d times".formatted(MigrationLimits.MAX_ROUNDS));
    }
    double _ = flushDisks();
  }

  /**
   * Makes safe what came for the disks.
   *
   * @return how long that took, seconds
   */
  double flushDisks() throws MigrationFailure, InterruptedException {
    if (disks.isEmpty()) {
      return 0;
    }
    long start = ticker.nanos();
    try {
      disks.get().flush();
    } catch (IOException e) {
      throw new MigrationFailure.Stopped(FailureCode.DISKS_UNAVAILABLE, IoFailure.sentence(e));
    }
    return ticker.secondsSince(start);
  }

  /** Writes to disks no more. Returns once nothing is being written. */
  void endDisks() {
    disks.ifPresent(DiskPlacement::close);
  }

  /** The digest of all pages received; after {@link #awaitLastRound}. */
  long digest() {
    return checksums.digest();
  }

  /** From the first page frame to the last page placed; after {@link #awaitLastRound}. */
  synchronized double receiveSeconds() {
    long last = firstNanos;
    for (Stream each : streams) {
      if (each.lastPlacedNanos != 0 && each.lastPlacedNanos - last > 0) {
        last = each.lastPlacedNanos;
      }
    }
    return (last - firstNanos) / 1e9;
  }

  /** Checks a frame's pages, all of them, before one is placed. */
  private void verify(int stream, PageFrameMeta meta) throws WireException {
    begin(stream, meta);
    meta.verifyWithin(space.pageCount(), stream, streams.length);
    if (meta.type() == FrameType.PAGE_RUN) {
      verifyContained(meta, meta.page(0), meta.count());
      pages.come(meta.round(), meta.page(0), meta.count());
      return;
    }
    for (int i = 0; i < meta.count(); i++) {
      verifyContained(meta, meta.page(i), meta.length(i));
    }
    for (int i = 0; i < meta.count(); i++) {
      pages.come(meta.round(), meta.page(i), meta.length(i));
    }
  }

  /** Neighbours go to one place as a whole: their first page must not be RAM's, or a disk's, and their last another's. */
  private void verifyContained(PageFrameMeta meta, long first, long count) throws WireException {
    if (!space.contains(first, count)) {
      throw new WireException(Fault.PAGE_OUT_OF_RANGE, "type=%s page=%d pages=%d reaches beyond RAM, or a disk",
          meta.type(), first, count);
    }
  }

  private synchronized void begin(int stream, PageFrameMeta meta) throws WireException {
    if (complete) {
      throw new WireException(Fault.UNEXPECTED_FRAME, "stream=%d type=%s round=%d after everything was complete",
          stream, meta.type(),
          meta.round());
    }
    if (meta.round() != streams[stream].round) {
      throw new WireException(Fault.WRONG_ROUND, "stream=%d type=%s round=%d expected=%d", stream, meta.type(),
          meta.round(),
          streams[stream].round);
    }
    streams[stream].begun = true;
    if (firstNanos == 0) {
      firstNanos = ticker.nanos();
    }
  }

  /** A page counts as received only with the right checksum; whoever is wrong ends the migration. */
  private void verifyAndRecord(int stream, PageFrameMeta meta, int index, ByteBuffer contents) throws WireException {
    int checksum = streams[stream].checksum.of(contents, index * PageSize.BYTES);
    if (checksum != meta.checksum(index)) {
      throw new WireException(Fault.PAGE_CORRUPTED, "page=%d checksum=%08x expected=%08x", meta.page(index), checksum,
          meta.checksum(index));
    }
    checksums.set(meta.page(index), checksum);
  }

  private void countPlaced(int stream, int placed) {
    streams[stream].pagesPlaced += placed;
    streams[stream].lastPlacedNanos = ticker.nanos();
  }
}
