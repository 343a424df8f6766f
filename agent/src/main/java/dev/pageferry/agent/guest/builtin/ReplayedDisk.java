package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.BlockDevice;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/**
 * What a twin has for a disk: the requests that it wrote, by offset, in this process's memory. A program reads back whole
 * requests that it wrote since it booted, and nothing else, so that the real disk is not needed, nor believed.
 */
final class ReplayedDisk implements BlockDevice {
  private final Map<Long, ByteBuffer> written = new HashMap<>();

  @Override
  public long sizeBytes() {
    return Long.MAX_VALUE;
  }

  @Override
  public void read(long offset, ByteBuffer target) {
    ByteBuffer block = written.get(offset);
    if (block == null || block.capacity() != target.remaining()) {
      throw new IllegalStateException("offset %d was read before it was written".formatted(offset));
    }
    target.put(block.duplicate().clear()).flip();
  }

  @Override
  public void write(long offset, ByteBuffer source) {
    ByteBuffer kept = written.computeIfAbsent(offset, key -> ByteBuffer.allocate(source.remaining()));
    kept.clear().put(source);
  }

  @Override
  public void flush() {
    // The twin needs no promise.
  }
}
