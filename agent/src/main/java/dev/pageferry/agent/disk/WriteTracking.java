package dev.pageferry.agent.disk;

import java.util.BitSet;

/**
 * The blocks of a VM's disks that were written since the last harvest: what {@code DirtyLog} is to RAM.
 *
 * <p><b>Why no write is lost.</b> Writes share a lock, which a harvest has alone: a write marks its blocks and is carried out inside
 * it, and a harvest takes the marks while no write is under way. So every write whose mark a harvest took is in the file
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
