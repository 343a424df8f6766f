package dev.pageferry.agent.guest.qemu;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a guest wrote to its console: on a tmpfs, and a guest may write without end. */
final class ConsoleLog {
  /** Bytes; a file that is longer begins anew. */
  static final long LONGEST = 4 << 20;
  private static final Duration LOOK = Duration.ofSeconds(1);
  private static final Logger log = LoggerFactory.getLogger(ConsoleLog.class);

  private ConsoleLog() {
  }

  /** Sees in the background that the file stays short while somebody writes at its end. */
  static void bound(Path file, BooleanSupplier isWritten, Scheduler scheduler) {
    Task _ = scheduler.start("console-log", () -> {
      try {
        while (isWritten.getAsBoolean()) {
          shorten(file);
          scheduler.sleep(LOOK);
        }
      } catch (InterruptedException e) {
        scheduler.current().interrupt();
      }
    });
  }

  static void shorten(Path file) {
    try {
      if (Files.exists(file) && Files.size(file) > LONGEST) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
          FileChannel _ = channel.truncate(0);
        }
      }
    } catch (IOException e) {
      log.warn("{} is not kept short: {}", file, e.toString());
    }
  }
}
