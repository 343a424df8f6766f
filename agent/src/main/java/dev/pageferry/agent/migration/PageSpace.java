package dev.pageferry.agent.migration;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.wire.PageFrame;
import dev.pageferry.common.page.PageSize;
import java.util.ArrayList;
import java.util.List;

/**
 * The numbers under which a VM's contents travel: those of its RAM's pages and, where its disks are copied too, behind them
 * those of each disk's blocks of {@link PageSize#BYTES}. A disk begins at a multiple of {@link PageFrame#BLOCK_PAGES}, so
 * that no run and no range reaches from one into the next; numbers in between belong to nothing.
 */
public final class PageSpace {
  /** Page numbers fit 31 bits in the checksum tables. */
  private static final long MAX_PAGES = Integer.MAX_VALUE;

  private final long ramPages;
  private final List<DiskPages> disks = new ArrayList<>();
  private final long pageCount;

  /**
   * A disk's part of the numbers.
   *
   * @param disk its place among the VM's disks
   * @param end the first number behind it
   */
  public record DiskPages(int disk, long first, long end) {
    /** Bytes from the disk's beginning to the page. */
    public long offsetOf(long page) {
      return PageSize.bytesOf(page - first);
    }
  }

  private PageSpace(long ramPages, List<DiskDescription> described) {
    this.ramPages = ramPages;
    long next = ramPages;
    for (int i = 0; i < described.size(); i++) {
      long first = Math.ceilDiv(next, (long) PageFrame.BLOCK_PAGES) * PageFrame.BLOCK_PAGES;
      next = first + PageSize.pagesFor(described.get(i).sizeBytes());
      disks.add(new DiskPages(i, first, next));
    }
    this.pageCount = next;
    if (pageCount > MAX_PAGES) {
      throw new IllegalArgumentException("RAM and disks of %d pages are more than %d, which a migration can count"
          .formatted(pageCount, MAX_PAGES));
    }
  }

  /** RAM alone. */
  public static PageSpace ofRam(GuestSpec spec) {
    return new PageSpace(spec.pageCount(), List.of());
  }

  /** @throws IllegalArgumentException if that is more than a migration can count */
  public static PageSpace ofRamAndDisks(GuestSpec spec) {
    return new PageSpace(spec.pageCount(), spec.disks());
  }

  /** One more than the highest number. */
  public long pageCount() {
    return pageCount;
  }

  public boolean isRam(long page) {
    return page < ramPages;
  }

  /** Where disks begin; the page count if none are copied. */
  public long firstDiskPage() {
    return disks.isEmpty() ? pageCount : disks.getFirst().first();
  }

  public List<DiskPages> disks() {
    return disks;
  }

  /** The disk that the page is of. */
  public DiskPages diskOf(long page) {
    for (DiskPages each : disks) {
      if (page >= each.first() && page < each.end()) {
        return each;
      }
    }
    throw new IllegalArgumentException("page %d is of no disk".formatted(page));
  }

  /** Whether these pages are all of RAM, or all of one disk. */
  public boolean contains(long first, long pages) {
    if (first < 0 || pages < 1) {
      return false;
    }
    if (first < ramPages) {
      return pages <= ramPages - first;
    }
    return disks.stream()
        .anyMatch(each -> first >= each.first() && first < each.end() && pages <= each.end() - first);
  }
}
