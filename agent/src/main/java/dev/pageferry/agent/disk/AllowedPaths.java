package dev.pageferry.agent.disk;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Files of this machine that operators may name for guests: kernels, images of memory, disks that are passed through. Links are
 * followed: what they lead to counts.
 *
 * @param places directories, with all below them, or single files and devices; empty: everything, for tests
 */
public record AllowedPaths(Optional<List<Path>> places) {
  public static final AllowedPaths ANY = new AllowedPaths(Optional.empty());

  public static AllowedPaths of(List<Path> places) {
    return new AllowedPaths(Optional.of(List.copyOf(places)));
  }

  /** @throws IOException if it is in none of the places, or is not a regular file that can be read */
  public void requireFile(Path file) throws IOException {
    require(file);
    if (!Files.isRegularFile(file) || !Files.isReadable(file)) {
      throw new IOException("%s is not a regular file that this host's agent can read".formatted(file));
    }
  }

  /** @throws IOException if it is in none of the places, or is not there */
  public void require(Path file) throws IOException {
    if (places.isEmpty()) {
      return;
    }
    Path real = file.toRealPath();
    for (Path each : places.get()) {
      if (Files.exists(each) && real.startsWith(each.toRealPath())) {
        return;
      }
    }
    throw new IOException("%s is not in a directory that this host's agent allows (--allow-path: %s)".formatted(file,
        places.get().isEmpty() ? "none" : places.get()));
  }
}
