package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
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
    } catch (IOException e) {
      throw failure(directory, "flushed", e);
    }
  }

  /**
   * A failure that says of which file, and what is wrong with it; one of a file that is not there stays one.
   *
   * @param what could not be done: "opened", "written"
   */
  public static IOException failure(Path file, String what, IOException e) {
    String message = "%s cannot be %s: %s".formatted(file, what, reason(e));
    if (e instanceof NoSuchFileException) {
      IOException missing = new NoSuchFileException(file.toString(), null, message);
      missing.initCause(e);
      return missing;
    }
    return new DiskException(message, e);
  }

  /** What went wrong, in words, without the path: the message of some of the system's exceptions is a path and no more. */
  public static String reason(IOException e) {
    return switch (e) {
      case DiskException said -> String.valueOf(said.getMessage());
      case FileSystemException system when system.getReason() != null -> system.getReason();
      case NoSuchFileException missing -> "it is not there";
      case AccessDeniedException denied -> "permission denied";
      case FileAlreadyExistsException there -> "it exists already";
      case NotDirectoryException file -> "it is not a directory";
      case DirectoryNotEmptyException full -> "it is not empty";
      case ClosedByInterruptException interrupted -> "the thread that used it was interrupted";
      case ClosedChannelException closed -> "it was closed meanwhile";
      default -> e.getMessage() == null ? e.toString() : e.getMessage();
    };
  }
}
