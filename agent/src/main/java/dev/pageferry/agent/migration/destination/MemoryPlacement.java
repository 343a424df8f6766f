package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.memory.AtomicPageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.common.page.PageSize;
import java.nio.ByteBuffer;

/**
 * Puts arriving pages into a guest's memory. Each open stream borrows the memory, because a socket read that is still under way
 * writes to a bare address.
 */
final class MemoryPlacement {
  private final PageStore ram;
  /** A page counts as written only once its contents were checked. */
  private final AtomicPageBitmap everWritten;
  /** Streams that hold the memory. Guarded by this. */
  private final boolean[] open;

  MemoryPlacement(IncomingGuest vm, int streams) {
    this.ram = vm.ram();
    this.everWritten = vm.written();
    this.open = new boolean[streams];
  }

  synchronized void streamOpened(int stream) {
    ram.borrow();
    open[stream] = true;
  }

  synchronized void streamClosed(int stream) {
    if (open[stream]) {
      open[stream] = false;
      ram.giveBack();
    }
  }

  /** Ends the hold of all streams: none of them writes any more. */
  synchronized void giveBack() {
    for (int stream = 0; stream < open.length; stream++) {
      streamClosed(stream);
    }
  }

  /** Where the contents of a run are to be read into. */
  ByteBuffer window(long firstPage, int pages) {
    return ram.window(firstPage, pages);
  }

  /** Copies the i-th page of a batch, whose contents are right. */
  void copyIn(long page, ByteBuffer contents, int index) {
    ram.copyIn(page, contents, index * PageSize.BYTES);
    everWritten.add(page);
  }

  /** The contents of a run are in place, and right. */
  void runArrived(long firstPage, int pages) {
    everWritten.addRange(firstPage, firstPage + pages);
  }

  void zero(long firstPage, long pages) {
    ram.zero(firstPage, pages);
  }
}
