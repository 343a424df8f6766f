package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.disk.DiskCopies;
import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.disk.DiskReader;
import dev.pageferry.agent.disk.WriteTracking;
import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.PageSpace;
import dev.pageferry.agent.migration.PageSpace.DiskPages;
import dev.pageferry.agent.os.DataExtents.Extent;
import dev.pageferry.agent.wire.PageFrame;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.page.PageSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The disks of a guest, copied block by block while it writes them: what its RAM and its dirty log are to a migration, for
 * disks that the destination does not reach.
 */
final class DiskMirror implements AutoCloseable {
  /** Blocks read ahead of the sockets, for each stream. */
  private static final int BUFFERS_PER_STREAM = 4;
  private static final Duration CLOSED_CHECK = Duration.ofMillis(200);

  private final PageSpace space;
  private final WriteTracking tracking;
  private final List<DiskReader> readers = new ArrayList<>();
  private final List<List<Extent>> extents = new ArrayList<>();
  private final BlockingQueue<ByteBuffer> buffers;
  private final AtomicReference<@Nullable IOException> failure = new AtomicReference<>();
  private volatile boolean closed;

  private DiskMirror(PageSpace space, Guest guest, int streams) throws IOException {
    this.space = space;
    this.buffers = new ArrayBlockingQueue<>(BUFFERS_PER_STREAM * streams);
    for (int i = 0; i < BUFFERS_PER_STREAM * streams; i++) {
      buffers.add(ByteBuffer.allocateDirect(PageFrame.MAX_PAGES * PageSize.BYTES));
    }
    // From before the disks are looked at: what is written meanwhile is sent once more.
    this.tracking = guest.trackWrites();
  }

  /** @throws MigrationFailure if the guest's disks cannot be copied */
  static DiskMirror open(Guest guest, GuestDisks storage, PageSpace space, int streams) throws MigrationFailure {
    try {
      for (DiskDescription each : guest.spec().disks()) {
        DiskCopies.requireNamed(each);
      }
      DiskMirror mirror = new DiskMirror(space, guest, streams);
      boolean complete = false;
      try {
        mirror.openReaders(guest.spec().disks(), storage);
        complete = true;
        return mirror;
      } finally {
        if (!complete) {
          mirror.close();
        }
      }
    } catch (IOException e) {
      throw unavailable(e);
    }
  }

  private void openReaders(List<DiskDescription> disks, GuestDisks storage) throws IOException {
    for (DiskDescription each : disks) {
      DiskReader reader = storage.reader(each);
      readers.add(reader);
      extents.add(reader.dataExtents());
    }
  }

  private static MigrationFailure unavailable(IOException cause) {
    return new MigrationFailure.Stopped(FailureCode.DISKS_UNAVAILABLE, IoFailure.sentence(cause));
  }

  /** The number of the first block of all. */
  long firstPage() {
    return space.firstDiskPage();
  }

  /** Bytes that the disks hold. */
  long dataBytes() {
    return extents.stream().flatMap(List::stream).mapToLong(Extent::length).sum();
  }

  /** Adds every block that may hold something else than zeros. */
  void addData(PageBitmap pages) {
    for (DiskPages disk : space.disks()) {
      for (Extent each : extents.get(disk.disk())) {
        long end = disk.first() + PageSize.pagesFor(each.offset() + each.length());
        for (long page = disk.first() + (each.offset() >>> PageSize.SHIFT); page < end; page++) {
          pages.add(page);
        }
      }
    }
  }

  /** Adds the blocks that the guest wrote since the last harvest. */
  void harvest(PageBitmap pages) {
    for (DiskPages disk : space.disks()) {
      BitSet written = tracking.harvest(disk.disk());
      written.stream().forEach(block -> pages.add(disk.first() + block));
    }
  }

  /** Fills a buffer with blocks of one disk. */
  void read(long firstPage, ByteBuffer target) throws IOException {
    DiskPages disk = space.diskOf(firstPage);
    readers.get(disk.disk()).read(disk.offsetOf(firstPage), target);
  }

  /** A buffer to read into; waits until the sockets have taken what fills the others. */
  ByteBuffer takeBuffer() throws IOException, InterruptedException {
    while (!closed) {
      ByteBuffer free = buffers.poll(CLOSED_CHECK.toMillis(), TimeUnit.MILLISECONDS);
      if (free != null) {
        return free;
      }
    }
    throw new ClosedChannelException();
  }

  void giveBack(ByteBuffer buffer) {
    buffers.add(buffer);
  }

  /** @throws IllegalStateException if there will be no more to send, because a disk could not be read */
  void checkReadable() {
    IOException cause = failure.get();
    if (cause != null) {
      throw new IllegalStateException("a disk cannot be read: " + cause.getMessage(), cause);
    }
  }

  void failed(IOException cause) {
    failure.compareAndSet(null, cause);
  }

  /** Why reading the disks failed, if it did: a round that ends badly then ended for this. */
  Optional<MigrationFailure> failure() {
    return Optional.ofNullable(failure.get()).map(DiskMirror::unavailable);
  }

  @Override
  public void close() {
    closed = true;
    tracking.close();
    for (DiskReader each : readers) {
      try {
        each.close();
      } catch (IOException e) {
        failed(e);
      }
    }
  }
}
