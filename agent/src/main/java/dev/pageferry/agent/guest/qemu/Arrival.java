package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** Gives a machine that waits for it a state; its RAM is filled already. */
final class Arrival {
  private static final Duration LOADED = Duration.ofSeconds(60);
  private static final Duration SOON = Duration.ofMillis(1);

  private Arrival() {
  }

  /** Ahead of the state, so that only loading is left. */
  static void prepare(Qmp monitor) throws IOException, InterruptedException {
    Capabilities.set(monitor, List.of(StreamFormat.IGNORE_SHARED));
    JsonObject parameters = new JsonObject();
    // Nothing is announced before it is known whose the machine is; then the switch does it.
    parameters.addProperty("announce-rounds", 0);
    JsonObject _ = monitor.execute("migrate-set-parameters", parameters);
  }

  /**
   * Loads the state, and waits until that is done.
   *
   * @param file for the stream, removed afterwards
   * @throws IOException with what QEMU says, if it does not take it
   */
  static void load(Qmp monitor, MachineImage image, Path file, Scheduler scheduler)
      throws IOException, InterruptedException {
    try {
      Files.write(file, StreamWriter.streamOf(image));
      JsonObject source = new JsonObject();
      source.addProperty("uri", "file:" + file);
      if (monitor.version().isAtLeast(QemuVersion.STAYS_AFTER_A_BAD_STATE)) {
        source.addProperty("exit-on-error", false);
      }
      JsonObject _ = monitor.execute("migrate-incoming", source);
      awaitLoaded(monitor, scheduler);
    } finally {
      Files.deleteIfExists(file);
    }
  }

  private static void awaitLoaded(Qmp monitor, Scheduler scheduler) throws IOException, InterruptedException {
    long end = scheduler.nanos() + LOADED.toNanos();
    while (true) {
      JsonObject said = monitor.execute("query-migrate");
      String status = said.has("status") ? said.get("status").getAsString() : "none";
      switch (status) {
        case "completed" -> {
          return;
        }
        case "failed" -> throw new IOException("QEMU does not take the state: %s".formatted(
            said.has("error-desc") ? said.get("error-desc").getAsString() : "it does not say why"));
        default -> {
          if (scheduler.nanos() > end) {
            throw new IOException("QEMU did not load the state within %d s: %s".formatted(LOADED.toSeconds(), status));
          }
          scheduler.sleep(SOON);
        }
      }
    }
  }
}
