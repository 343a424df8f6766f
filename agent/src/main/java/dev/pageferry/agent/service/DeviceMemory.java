package dev.pageferry.agent.service;

import dev.pageferry.agent.memory.DeviceDirtyLog;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.common.page.PageSize;

/** Guest RAM as a device sees it: every store is followed by its mark in the dirty log. */
public final class DeviceMemory {
  private final PageStore ram;
  private final DeviceDirtyLog dirtyLog;

  public DeviceMemory(PageStore ram, DeviceDirtyLog dirtyLog) {
    this.ram = ram;
    this.dirtyLog = dirtyLog;
  }

  byte[] read(long address, int bytes) {
    byte[] copy = new byte[bytes];
    ram.read(address, copy);
    return copy;
  }

  void write(long address, byte[] bytes) {
    if (bytes.length > 0) {
      ram.write(address, bytes);
      dirtyLog.mark(address / PageSize.BYTES, (address + bytes.length - 1) / PageSize.BYTES);
    }
  }

  long getLong(long address) {
    return ram.getLong(address);
  }

  void putLong(long address, long value) {
    ram.putLong(address, value);
    dirtyLog.mark(address / PageSize.BYTES, address / PageSize.BYTES);
  }
}
