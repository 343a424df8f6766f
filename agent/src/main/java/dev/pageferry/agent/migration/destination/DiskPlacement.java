package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.disk.IncomingDisks;
import dev.pageferry.agent.migration.PageSpace;
import dev.pageferry.agent.migration.PageSpace.DiskPages;
import dev.pageferry.agent.wire.PageFrame;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Puts arriving blocks onto disks. A thread for each stream writes them, because a disk may take its time and a stream's
 * thread serves other guests too; a stream that is ahead of its disk by {@link #BUFFERS} frames is read no further.
 */
final class DiskPlacement implements AutoCloseable {
  private static final int BUFFERS = 8;
  private static final int FRAME_BYTES = PageFrame.MAX_PAGES * PageSize.BYTES;
  private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(PageFrame.BLOCK_PAGES * PageSize.BYTES)
      .asReadOnlyBuffer();

  private final PageSpace space;
  private final IncomingDisks disks;
  private final List<Lane> lanes;
  private final BiConsumer<Integer, IOException> onFailure;

  /** @param onFailure told, with the stream, by a writer's thread; nothing more is written on that stream then */
  DiskPlacement(PageSpace space, IncomingDisks disks, int streams, BiConsumer<Integer, IOException> onFailure) {
    this.space = space;
    this.disks = disks;
    this.onFailure = onFailure;
    this.lanes = IntStream.range(0, streams).mapToObj(Lane::new).toList();
  }

  /** Something to write. */
  private interface Write {
    void carryOut() throws IOException;
  }

  /** One stream's writes, in the order in which they came. */
  private final class Lane {
    private final int stream;
    /** All guarded by this. */
    private final Deque<Write> waiting = new ArrayDeque<>();
    private final Deque<ByteBuffer> free = new ArrayDeque<>();
    private @Nullable Runnable wantsRoom;
    private @Nullable IOException failure;
    private boolean writing;
    private boolean closed;

    Lane(int stream) {
      this.stream = stream;
      for (int i = 0; i < BUFFERS; i++) {
        free.add(ByteBuffer.allocateDirect(FRAME_BYTES));
      }
      Thread.ofPlatform().daemon().name("disk-writer-" + stream).start(this::writeAll);
    }

    synchronized boolean hasRoomOrTellLater(Runnable later) {
      if (isRoomy()) {
        return true;
      }
      wantsRoom = later;
      return false;
    }

    private boolean isRoomy() {
      return closed || failure != null || !free.isEmpty() && waiting.size() < BUFFERS;
    }

    synchronized ByteBuffer takeBuffer() {
      // One frame at a time, and none without room: there is a buffer, unless nothing counts any more.
      return free.isEmpty() ? ByteBuffer.allocateDirect(FRAME_BYTES) : free.removeLast();
    }

    synchronized void giveBack(ByteBuffer buffer) {
      free.add(buffer);
    }

    synchronized void add(Write write) {
      if (failure == null && !closed) {
        waiting.add(write);
        notifyAll();
      }
    }

    private void writeAll() {
      try {
        while (true) {
          Write write = next();
          if (write == null) {
            return;
          }
          write.carryOut();
          done();
        }
      } catch (IOException e) {
        fail(e);
        onFailure.accept(stream, e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } catch (RuntimeException | Error e) {
        // Whoever waits for what was to be written must hear of it.
        IOException failed = new IOException("a disk's writer failed: " + e, e);
        fail(failed);
        onFailure.accept(stream, failed);
      }
    }

    private synchronized @Nullable Write next() throws InterruptedException {
      while (waiting.isEmpty() && !closed) {
        wait();
      }
      writing = !closed;
      return closed ? null : waiting.removeFirst();
    }

    private void done() {
      Runnable resume = null;
      synchronized (this) {
        writing = false;
        notifyAll();
        if (wantsRoom != null && isRoomy()) {
          resume = wantsRoom;
          wantsRoom = null;
        }
      }
      if (resume != null) {
        resume.run();
      }
    }

    private synchronized void fail(IOException cause) {
      failure = cause;
      writing = false;
      notifyAll();
    }

    synchronized void awaitWritten() throws IOException, InterruptedException {
      while (!closed && failure == null && (writing || !waiting.isEmpty())) {
        wait();
      }
      if (failure != null) {
        throw failure;
      }
    }

    /** Returns once nothing is being written. */
    synchronized void close() {
      closed = true;
      notifyAll();
      boolean interrupted = false;
      while (writing) {
        try {
          wait();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      waiting.clear();
      free.clear();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Whether another frame can be taken from a stream; if not, {@code later} is called as soon as one can be. */
  boolean hasRoomOrTellLater(int stream, Runnable later) {
    return lanes.get(stream).hasRoomOrTellLater(later);
  }

  /** Where the contents of a run are to be read into. */
  ByteBuffer runStarts(int stream, int pages) {
    return lanes.get(stream).takeBuffer().clear().limit(pages * PageSize.BYTES);
  }

  /** The contents of a run are there, and right. */
  void runArrived(int stream, long firstPage, int pages, ByteBuffer contents) {
    DiskPages disk = space.diskOf(firstPage);
    Lane lane = lanes.get(stream);
    lane.add(() -> {
      disks.write(disk.disk(), disk.offsetOf(firstPage), contents.duplicate().position(0)
          .limit(pages * PageSize.BYTES));
      lane.giveBack(contents);
    });
  }

  /** Blocks, at most {@link PageFrame#BLOCK_PAGES} neighbours, that held something are zeros now. */
  void zero(int stream, long firstPage, long pages) {
    DiskPages disk = space.diskOf(firstPage);
    lanes.get(stream).add(() -> disks.write(disk.disk(), disk.offsetOf(firstPage),
        ZEROS.duplicate().limit((int) PageSize.bytesOf(pages))));
  }

  /**
   * Returns once everything that came is on stable storage.
   *
   * @throws IOException if it cannot be written
   */
  void flush() throws IOException, InterruptedException {
    for (Lane each : lanes) {
      each.awaitWritten();
    }
    disks.flush();
  }

  /** Ends the writing, whatever is still waiting. */
  @Override
  public void close() {
    lanes.forEach(Lane::close);
  }
}
