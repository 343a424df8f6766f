package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import dev.pageferry.common.concurrent.Signal;
import java.time.Duration;
import java.util.Set;
import java.util.function.BooleanSupplier;

/**
 * How far a QEMU says that its migration is: it tells each change, where the capability "events" is on. Source: QEMU's
 * {@code qapi/migration.json}, MIGRATION.
 */
final class MigrationNews {
  private static final Set<String> OVER = Set.of("completed", "failed", "cancelled");

  private final Signal changed;
  private final BooleanSupplier isGone;
  private volatile String status = "none";

  /**
   * @param changed raised whenever there is something new
   * @param isGone whether its QEMU has ended, after which it tells nothing
   */
  MigrationNews(Signal changed, BooleanSupplier isGone) {
    this.changed = changed;
    this.isGone = isGone;
  }

  /** A migration is to begin. */
  void begin() {
    status = "none";
  }

  /** On the thread that hears it. */
  void hear(JsonObject event) {
    if (event.get("event").getAsString().equals("MIGRATION")) {
      status = event.getAsJsonObject("data").get("status").getAsString();
      changed.raise();
    }
  }

  boolean isOver() {
    return OVER.contains(status);
  }

  /** Waits until it is over, or nothing more will be told. @return its status then */
  String awaitEnd(Duration atMost) throws InterruptedException {
    boolean _ = changed.await(() -> isOver() || isGone.getAsBoolean(), atMost);
    return status;
  }
}
