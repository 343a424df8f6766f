package dev.pageferry.agent.disk;

import java.io.IOException;

/** A disk that is open, to whoever has the right to. */
public interface OpenDisk extends BlockDevice, AutoCloseable {
  /** Closes it; what was not {@linkplain #flush() flushed} is as safe as the system makes it. */
  @Override
  void close() throws IOException;
}
