package dev.pageferry.agent.incarnation;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Where an agent keeps what is true only as long as this machine runs: a local directory of its user's, that nobody else may read. */
public final class RunDirectory {
  private static final String NAME = "pageferry";
  private static final Set<PosixFilePermission> MINE_ALONE = PosixFilePermissions.fromString("rwx------");

  private RunDirectory() {
  }

  /**
   * The directory, made if it is missing.
   *
   * @param wanted what the operator named; else /run/pageferry for root, $XDG_RUNTIME_DIR/pageferry where there is one, else a
   *     directory of the user's among temporary files
   * @throws IOException if it cannot be made, or is not this user's
   */
  public static Path open(Optional<Path> wanted, Map<String, String> environment) throws IOException {
    int user = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    Path directory = wanted.orElseGet(() -> byDefault(user, environment));
    try {
      boolean isThere = Files.exists(directory, LinkOption.NOFOLLOW_LINKS);
      if (!isThere) {
        Files.createDirectories(directory, PosixFilePermissions.asFileAttribute(MINE_ALONE));
      }
      if (wanted.isEmpty()) {
        claim(directory, user);
      }
    } catch (IOException e) {
      throw new IOException(
          "run directory %s cannot be used (%s: %s); name another one by --run-dir".formatted(directory,
              e.getClass().getSimpleName(), e.getMessage()),
          e);
    }
    return directory;
  }

  private static Path byDefault(int user, Map<String, String> environment) {
    if (user == 0) {
      return Path.of("/run", NAME);
    }
    Optional<Path> session = Optional.ofNullable(environment.get("XDG_RUNTIME_DIR")).filter(text -> !text.isEmpty())
        .map(Path::of).filter(each -> Files.isDirectory(each) && Files.isWritable(each));
    return session.map(each -> each.resolve(NAME))
        .orElseGet(() -> Path.of(System.getProperty("java.io.tmpdir"), "%s-%d".formatted(NAME, user)));
  }

  /** Among temporary files anybody may have made it before: then it proves nothing. */
  private static void claim(Path directory, int user) throws IOException {
    Map<String, Object> attributes = Files.readAttributes(directory, "unix:isDirectory,uid", LinkOption.NOFOLLOW_LINKS);
    if (!Boolean.TRUE.equals(attributes.get("isDirectory")) || !Integer.valueOf(user).equals(attributes.get("uid"))) {
      throw new IOException("it is not a directory of user %d".formatted(user));
    }
    Files.setPosixFilePermissions(directory, MINE_ALONE);
  }
}
