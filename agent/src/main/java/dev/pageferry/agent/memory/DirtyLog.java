package dev.pageferry.agent.memory;

import java.util.List;
import java.util.stream.Stream;

/**
 * Which pages of a VM were written: since the last harvest, by each vCPU and by devices, and ever.
 *
 * <p>"Ever" counts every way by which a page can have stopped being zero: program stores, an image, a restored state,
 * pages received from another host. A migration's first round is that set, so that a VM that moved from A to B does
 * not lose, on its way to C, pages that it wrote only on A. Each harvest merges into it before it returns: an attempt
 * that fails afterwards has lost nothing.
 */
public final class DirtyLog {
  private final long pageCount;
  private final List<VcpuDirtyLog> vcpus;
  private final DeviceDirtyLog devices;
  private final AtomicPageBitmap everWritten;

  public DirtyLog(long pageCount, int vcpuCount) {
    this.pageCount = pageCount;
    this.vcpus = Stream.generate(() -> new VcpuDirtyLog(pageCount)).limit(vcpuCount).toList();
    this.devices = new DeviceDirtyLog(pageCount);
    this.everWritten = new AtomicPageBitmap(pageCount);
  }

  public VcpuDirtyLog vcpu(int index) {
    return vcpus.get(index);
  }

  /** Where devices mark what they have stored. */
  public DeviceDirtyLog devices() {
    return devices;
  }

  /** Where whoever fills memory other than a vCPU puts the pages it wrote. Any thread may add. */
  public AtomicPageBitmap everWritten() {
    return everWritten;
  }

  /**
   * Takes all marks since the last harvest. When this returns, every store that preceded its mark's harvest is visible
   * to this thread (see {@link VcpuDirtyLog}, {@link DeviceDirtyLog}), so that pages may be copied. One harvester at a time.
   *
   * @param into receives the pages, beside what it holds already
   */
  public synchronized void harvest(PageBitmap into) {
    for (VcpuDirtyLog each : vcpus) {
      each.request();
    }
    for (VcpuDirtyLog each : vcpus) {
      each.collect(into, everWritten);
    }
    devices.collect(into, everWritten);
  }

  /** Adds every page that was ever written and harvested. */
  public void addEverWritten(PageBitmap into) {
    everWritten.addTo(into);
  }

  /** A hint whether the page has been written since the last harvest. Never the only record of it. */
  public boolean seemsDirty(long page) {
    for (int i = 0; i < vcpus.size(); i++) {
      if (vcpus.get(i).seemsDirty(page)) {
        return true;
      }
    }
    return devices.seemsDirty(page);
  }

  public long pageCount() {
    return pageCount;
  }
}
