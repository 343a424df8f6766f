package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.ByteBuffer;

/** A disk as a guest uses it. Offsets are bytes from its beginning. */
public interface BlockDevice {
  /** The most that one request to a disk of a guest may have, in bytes. */
  int MOST_BYTES = 1 << 20;

  long sizeBytes();

  /** Fills the buffer, and leaves it ready to be read. */
  void read(long offset, ByteBuffer target) throws IOException;

  /** Writes all of the buffer; it is safe from a loss of power only after {@link #flush}. */
  void write(long offset, ByteBuffer source) throws IOException;

  /** Returns once everything written before is on stable storage. */
  void flush() throws IOException;
}
