package dev.pageferry.coordinator.fencing;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Set;

/** A secret in a file: one line that nobody but its owner can read. It is read anew each time, and kept nowhere. */
final class SecretFile {
  private static final Set<PosixFilePermission> OWNERS = EnumSet.of(PosixFilePermission.OWNER_READ,
      PosixFilePermission.OWNER_WRITE, PosixFilePermission.OWNER_EXECUTE);

  private SecretFile() {
  }

  /** @throws FenceException if it is not there, can be read by others, or is more than a line */
  static String read(String option, String path) throws FenceException {
    Path file = Path.of(path);
    try {
      if (!Files.isRegularFile(file)) {
        throw new FenceException("file %s of option %s is not a regular file of the coordinator's machine".formatted(
            path, option));
      }
      Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(file);
      if (!OWNERS.containsAll(permissions)) {
        throw new FenceException("file %s of option %s is open to others than its owner (%s); chmod 600 it".formatted(
            path, option, PosixFilePermissions.toString(permissions)));
      }
      if (Files.size(file) > FenceOptions.MAX_VALUE_CHARS) {
        throw new FenceException("file %s of option %s has more than %d bytes".formatted(path, option,
            FenceOptions.MAX_VALUE_CHARS));
      }
      String value = Files.readString(file, StandardCharsets.UTF_8);
      String line = value.endsWith("\n") ? value.substring(0, value.length() - 1) : value;
      if (line.isEmpty() || !FenceOptions.isOneLine(line)) {
        throw new FenceException("file %s of option %s is not one line of text".formatted(path, option));
      }
      return line;
    } catch (NoSuchFileException | AccessDeniedException e) {
      throw new FenceException("file %s of option %s cannot be read by the coordinator's user".formatted(path, option));
    } catch (CharacterCodingException e) {
      throw new FenceException("file %s of option %s is not text".formatted(path, option));
    } catch (IOException | RuntimeException e) {
      throw new FenceException("file %s of option %s cannot be read: %s".formatted(path, option, e.getMessage()));
    }
  }
}
