package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.time.Duration;

/** Whether a machine runs, as its QEMU sees it. Source: QEMU's {@code qapi/run-state.json}. */
final class RunState {
  static final String RUNNING = "running";
  /** A request to a disk has failed. */
  static final String DISK_FAILED = "io-error";
  /** It waits for a state. */
  static final String INCOMING = "inmigrate";
  private static final Duration GOES_ON = Duration.ofSeconds(5);
  private static final Duration SOON = Duration.ofMillis(5);

  private RunState() {
  }

  static String of(Qmp monitor) throws IOException, InterruptedException {
    return monitor.execute("query-status").get("status").getAsString();
  }

  /** Has it go on. A QEMU whose migration is just ending refuses for a moment. */
  static void goOn(Qmp monitor, Scheduler scheduler) throws IOException, InterruptedException {
    long end = scheduler.nanos() + GOES_ON.toNanos();
    while (true) {
      try {
        JsonObject _ = monitor.execute("cont");
        return;
      } catch (Qmp.RefusedException e) {
        if (scheduler.nanos() > end) {
          throw e;
        }
        scheduler.sleep(SOON);
      }
    }
  }
}
