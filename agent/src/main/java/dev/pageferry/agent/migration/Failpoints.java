package dev.pageferry.agent.migration;

import dev.pageferry.common.migration.MigrationStage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Places at which a test can hold a migration from outside the process. Where the directory given at start has a file
 * {@code NAME.hold}, whoever comes to NAME writes {@code NAME.reached} and waits until {@code NAME.hold} is gone.
 * Without a directory, as always in production, a failpoint does nothing.
 */
public final class Failpoints {
  private static final Logger log = LoggerFactory.getLogger(Failpoints.class);
  private static final Duration POLL = Duration.ofMillis(5);
  private static final Duration LONGEST_HOLD = Duration.ofMinutes(5);

  private final Optional<Path> directory;

  public Failpoints(Optional<Path> directory) {
    this.directory = directory;
  }

  /**
   * Holds at the beginning of a stage, at SIDE.STAGE.enters.
   *
   * @param side "source" or "destination"
   */
  public void entering(String side, MigrationStage stage) throws InterruptedException {
    if (directory.isPresent()) {
      at("%s.%s.enters".formatted(side, stage.name().toLowerCase(Locale.ROOT).replace('_', '-')));
    }
  }

  /** Holds here while the test says so. */
  public void at(String name) throws InterruptedException {
    if (directory.isEmpty() || !isHeld(directory.get(), name)) {
      return;
    }
    log.warn("held at failpoint {}", name);
    try {
      Files.writeString(directory.get().resolve(name + ".reached"), "", StandardOpenOption.CREATE,
          StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
    } catch (IOException e) {
      log.warn("failpoint {} cannot report: {}", name, e.toString());
      return;
    }
    long end = System.nanoTime() + LONGEST_HOLD.toNanos();
    while (isHeld(directory.get(), name) && System.nanoTime() < end) {
      Thread.sleep(POLL);
    }
  }

  /** Never through a link: whoever may write that directory is not to have a file made elsewhere. */
  private static boolean isHeld(Path directory, String name) {
    return Files.exists(directory.resolve(name + ".hold"), LinkOption.NOFOLLOW_LINKS);
  }
}
