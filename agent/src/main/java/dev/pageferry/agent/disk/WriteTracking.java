package dev.pageferry.agent.disk;

import java.util.BitSet;

/**
 * The blocks of a VM's disks that were written since the last harvest: what {@code DirtyLog} is to RAM.
 *
 * <p><b>Why no write is lost.</b> A disk's gate lets one request through at a time. A write marks its blocks and is carried
 * out inside the gate, and a harvest takes the marks inside it too: so every write whose mark a harvest took is in the file
 * before the harvest returns, and hence in every copy that is read afterwards; a later write is in the next harvest. A write
 * that fails half-way has its mark all the same.
 */
public interface WriteTracking extends AutoCloseable {
  /** Takes the marks of one disk, as numbers of blocks of {@code PageSize.BYTES}. */
  BitSet harvest(int disk);

  /** Ends it. */
  @Override
  void close();
}
