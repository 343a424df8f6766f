package dev.pageferry.agent.savedstate;

import dev.pageferry.agent.disk.StorageFiles;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.StateFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * The files of saved VMs on shared storage: {@code VM.OPERATION.state}. Which of them is valid, if any, the VM's row says;
 * a file that is there proves nothing.
 */
public final class SavedStates {
  private final Path directory;

  public SavedStates(Path directory) {
    this.directory = directory;
  }

  /** @throws IllegalArgumentException if that is no name of a saved state */
  public Path path(String fileName) {
    if (!fileName.endsWith(StateFiles.SUFFIX) || fileName.contains("/") || fileName.startsWith(".")) {
      throw new IllegalArgumentException("'%s' is no saved state's name".formatted(fileName));
    }
    return directory.resolve(fileName);
  }

  /** Deletes one file, if it is there: of a guest that runs, or of a save that failed. No row names it any more. */
  public void delete(String fileName) throws IOException {
    if (Files.deleteIfExists(path(fileName))) {
      StorageFiles.syncDirectory(directory);
    }
  }

  /** Deletes all files of a VM that was deleted, UEFI variables among them; ids are never used again. */
  public void deleteAllOf(VmId vm) throws IOException {
    List<Path> old;
    try (Stream<Path> files = Files.list(directory)) {
      old = files.filter(each -> each.getFileName().toString().startsWith(vm + ".")).toList();
    }
    for (Path each : old) {
      Files.deleteIfExists(each);
    }
  }
}
