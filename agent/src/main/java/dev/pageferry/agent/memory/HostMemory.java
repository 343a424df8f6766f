package dev.pageferry.agent.memory;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The memory that the operator lets this host give to guests. Every page store is reserved here first. */
public final class HostMemory {
  private static final Path MEMINFO = Path.of("/proc/meminfo");

  private final long capacityBytes;
  private long reservedBytes;

  public HostMemory(long capacityBytes) {
    this.capacityBytes = capacityBytes;
  }

  /**
   * Memory set aside for one page store.
   *
   * @throws OutOfMemoryException with the figures, if less is free
   */
  public synchronized Reservation reserve(long bytes) throws OutOfMemoryException {
    if (bytes > freeBytes()) {
      throw new OutOfMemoryException("not enough memory left for guests", bytes, freeBytes());
    }
    long available = kernelAvailableBytes();
    if (bytes > available) {
      throw new OutOfMemoryException("the kernel has too little memory left", bytes, available);
    }
    reservedBytes += bytes;
    return new Reservation(bytes);
  }

  public long capacityBytes() {
    return capacityBytes;
  }

  public synchronized long freeBytes() {
    return capacityBytes - reservedBytes;
  }

  private static long kernelAvailableBytes() {
    try {
      for (String line : Files.readAllLines(MEMINFO)) {
        if (line.startsWith("MemAvailable:")) {
          return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
        }
      }
    } catch (IOException | NumberFormatException e) {
      // No such file in some containers: the operator's own limit stands alone.
    }
    return Long.MAX_VALUE;
  }

  /** A part of the budget; given back by closing it, once. */
  public final class Reservation implements AutoCloseable {
    private long bytes;

    private Reservation(long bytes) {
      this.bytes = bytes;
    }

    @Override
    public void close() {
      synchronized (HostMemory.this) {
        reservedBytes -= bytes;
        bytes = 0;
      }
    }
  }
}
