package dev.pageferry.support;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/** The Debian packages of this build, and the small Debian system that they are tried in, which is made once. */
public final class DebianPackages {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final Path DIRECTORY = ROOT.resolve("target/packages");
  private static final List<String> PROGRAMS = List.of("debootstrap", "dpkg-deb", "chroot", "mount", "unshare");

  private DebianPackages() {
  }

  /** Why they cannot be tried here; empty if they can. */
  public static Optional<String> obstacle() throws IOException, InterruptedException {
    if (!"root".equals(System.getProperty("user.name"))) {
      return Optional.of("packages are tried in a root directory of their own, which needs root");
    }
    Optional<String> missing = PROGRAMS.stream().filter(each -> !isInstalled(each)).findFirst();
    if (missing.isPresent()) {
      return Optional.of("the command %s is not installed".formatted(missing.get()));
    }
    CommandResult namespaces = CommandResult.of(
        List.of("unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"),
        Map.of());
    if (namespaces.exitCode() != 0) {
      return Optional.of("nothing can be mounted here: " + namespaces.errors().strip());
    }
    if (Files.notExists(DIRECTORY)) {
      return Optional.of("there are no packages in target/packages: scripts/packages makes them");
    }
    // Programs and jars have the time of the version; the folder has that of the build.
    Path built = Distribution.PRESENT.program("ferry-agent").resolveSibling("../lib");
    if (Files.getLastModifiedTime(file("agent")).compareTo(Files.getLastModifiedTime(built)) < 0) {
      return Optional.of("the packages in target/packages are of an earlier build: scripts/packages makes them anew");
    }
    CommandResult made = base();
    return made.exitCode() == 0 ? Optional.empty() : Optional.of(made.errors().strip());
  }

  /** Why no Debian can be booted here, as {@code scripts/lab up --debian} does; empty if it can. */
  public static Optional<String> bootObstacle() throws IOException, InterruptedException {
    CommandResult made = CommandResult.of(List.of(ROOT.resolve("scripts/debian-root").toString(), "--boots"), Map.of());
    return made.exitCode() == 0 ? Optional.empty() : Optional.of(made.errors().strip());
  }

  public static boolean isInstalled(String program) {
    return Stream.of(System.getenv("PATH").split(":")).anyMatch(each -> Files.isExecutable(Path.of(each, program)));
  }

  private static CommandResult base() throws IOException, InterruptedException {
    return CommandResult.of(List.of(ROOT.resolve("scripts/debian-root").toString()), Map.of());
  }

  /** A Debian system with nothing of Pageferry's; only to be copied. */
  static Path cleanRoot() throws IOException, InterruptedException {
    return Path.of(base().output().strip());
  }

  /** @param name without what all begin with: runtime, coordinator, agent or client */
  public static Path file(String name) throws IOException {
    try (Stream<Path> files = Files.list(DIRECTORY)) {
      return files.filter(each -> each.getFileName().toString().startsWith("pageferry-" + name + "_")).findFirst()
          .orElseThrow();
    }
  }

  /** All, in an order in which they can be installed. */
  public static List<Path> files() throws IOException {
    return List.of(file("runtime"), file("coordinator"), file("agent"), file("client"));
  }

  /** The same packages under another version, with other files, in a directory: programs of before find theirs no more. */
  public static List<Path> asVersion(String version, Path directory) throws IOException, InterruptedException {
    List<Path> made = new ArrayList<>();
    for (Path each : files()) {
      Path renamed = directory.resolve(each.getFileName());
      CommandResult done = CommandResult.of(List.of("bash", "-euc", """
          dpkg-deb --raw-extract "$0" "$1"
          version=$(sed -n 's/^Version: //p' "$1/DEBIAN/control")
          sed -i "s/^Version: .*/Version: $3/; s/(= $version)/(= $3)/" "$1/DEBIAN/control"
          for jar in "$1"/usr/lib/pageferry/*/lib/{agent,coordinator,ferry}-"$version".jar; do
            [ ! -e "$jar" ] || mv "$jar" "${jar%-*}-$3.jar"
          done
          # Settings that an operator has changed differ from these, too.
          for settings in "$1"/etc/pageferry/*.yaml; do
            [ ! -e "$settings" ] || echo '# of the next version' >>"$settings"
          done
          dpkg-deb -Znone --build "$1" "$2"
          rm -r "$1"
          """, each.toString(), directory.resolve("unpacked").toString(), renamed.toString(), version), Map.of());
      if (done.exitCode() != 0) {
        throw new IllegalStateException(done.toString());
      }
      made.add(renamed);
    }
    return made;
  }
}
