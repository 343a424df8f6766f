package dev.pageferry.agent.service;

import dev.pageferry.agent.memory.DirtyLog;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.common.page.PageSize;
import java.util.SortedSet;
import java.util.TreeSet;

/** RAM of a VM that runs nothing: all that is written there is written by devices. */
final class GuestRam implements AutoCloseable {
  final ServiceMemory layout;
  final PageStore ram;
  final DeviceMemory memory;
  private final DirtyLog dirtyLog;

  GuestRam(ServiceMemory layout) throws OutOfMemoryException, InterruptedException {
    long pages = layout.firstPage() + layout.pages();
    this.layout = layout;
    this.ram = PageStore.allocate(PageSize.bytesOf(pages));
    this.dirtyLog = new DirtyLog(pages, 1);
    this.memory = new DeviceMemory(ram, dirtyLog.devices());
  }

  byte[] bytes(long address, int length) {
    byte[] bytes = new byte[length];
    ram.read(address, bytes);
    return bytes;
  }

  /** Inverts bits without a mark, as faulty memory does. */
  void damage(long address, int bits) {
    byte[] bytes = bytes(address, 1);
    bytes[0] ^= (byte) bits;
    ram.write(address, bytes);
  }

  /** The pages marked since the last harvest. */
  SortedSet<Long> harvest() {
    PageBitmap marked = new PageBitmap(ram.pageCount());
    dirtyLog.harvest(marked);
    SortedSet<Long> pages = new TreeSet<>();
    for (long page = marked.next(0, ram.pageCount()); page >= 0; page = marked.next(page + 1, ram.pageCount())) {
      pages.add(page);
    }
    return pages;
  }

  byte[][] pages() {
    byte[][] pages = new byte[Math.toIntExact(ram.pageCount())][];
    for (int page = 0; page < pages.length; page++) {
      pages[page] = bytes(PageSize.bytesOf(page), PageSize.BYTES);
    }
    return pages;
  }

  @Override
  public void close() {
    ram.close();
  }
}
