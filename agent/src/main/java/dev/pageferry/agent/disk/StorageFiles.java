package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** What files on shared storage need beside their bytes. */
public final class StorageFiles {
  private StorageFiles() {
  }

  /** Makes changes of names in a directory survive a loss of power. */
  public static void syncDirectory(Path directory) throws IOException {
    try (FileChannel names = FileChannel.open(directory, StandardOpenOption.READ)) {
      names.force(true);
    }
  }
}
