package dev.pageferry.agent.memory;

import java.io.IOException;
import java.nio.file.Path;

/** Where a file with memory is kept that no guest has: a directory of its own, in the file system of the guests' files. */
public interface SharedPlace extends AutoCloseable {
  /** Where the file is, as long as it is kept here. */
  Path file();

  /** Removes the place, with the file if that is still there. */
  @Override
  void close() throws IOException;
}
