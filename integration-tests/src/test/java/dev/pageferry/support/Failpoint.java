package dev.pageferry.support;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.awaitility.Awaitility;

/** A named place at which an agent is held from outside, until released. */
public final class Failpoint {
  private static final Duration REACH_TIMEOUT = Duration.ofSeconds(60);

  private final Path hold;
  private final Path reached;

  Failpoint(Path directory, String name) throws IOException {
    hold = directory.resolve(name + ".hold");
    reached = directory.resolve(name + ".reached");
    Files.deleteIfExists(reached);
    Files.writeString(hold, "");
  }

  /** Lets an agent go on wherever it is held. */
  static void releaseAll(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      for (Path each : files.filter(file -> file.toString().matches(".*\\.(hold|reached)")).toList()) {
        Files.deleteIfExists(each);
      }
    }
  }

  /** Waits until the agent stands there. A scenario that never gets there fails. */
  public void awaitReached() {
    Awaitility.await("failpoint " + reached.getFileName()).atMost(REACH_TIMEOUT).pollInterval(Duration.ofMillis(10))
        .until(() -> Files.exists(reached));
  }

  /** Lets the agent go on. */
  public void release() throws IOException {
    Files.deleteIfExists(hold);
    Files.deleteIfExists(reached);
  }
}
