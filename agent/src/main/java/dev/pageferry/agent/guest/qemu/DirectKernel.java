package dev.pageferry.agent.guest.qemu;

import java.nio.file.Path;
import java.util.Optional;

/**
 * A kernel that a machine boots without firmware looking for one.
 *
 * @param kernel a path on the host
 * @param append its command line
 */
record DirectKernel(Path kernel, Optional<Path> initrd, String append) {
  private static final int LONGEST_APPEND = 2047;

  DirectKernel {
    checkPath("kernel", kernel);
    initrd.ifPresent(each -> checkPath("initial RAM disk", each));
    if (append.length() > LONGEST_APPEND || append.chars().anyMatch(c -> c < ' ')) {
      throw new IllegalArgumentException(
          "a kernel command line of %d characters is longer than %d, or has control characters".formatted(
              append.length(), LONGEST_APPEND));
    }
  }

  private static void checkPath(String what, Path path) {
    if (!path.isAbsolute() || !path.normalize().equals(path)) {
      throw new IllegalArgumentException("the path '%s' of the %s is not absolute".formatted(path, what));
    }
  }
}
