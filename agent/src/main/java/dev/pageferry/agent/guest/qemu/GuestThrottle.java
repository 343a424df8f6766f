package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import dev.pageferry.agent.guest.Guest;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/**
 * How much a guest is held back while its machine leaves. QEMU does that between two passes over RAM; capabilities are fixed while a
 * machine leaves, so holding back is on from the beginning, for one percent, and that limit is raised.
 */
final class GuestThrottle {
  /** QEMU looks once a second, and acts at its second look that finds too much. Source: {@code migration_trigger_throttle} in {@code migration/ram.c}. */
  static final Duration DELAY = Duration.ofSeconds(3);
  /** QEMU takes some seconds to decide on it, longer for its first pass over much memory, and never does for a guest that writes little. */
  private static final Duration LONGEST_DELAY = Duration.ofSeconds(10);
  private static final int LEAST = 1;
  private static final List<String> LIMITS = List.of("max-cpu-throttle", "cpu-throttle-initial",
      "cpu-throttle-increment");

  private final Scheduler scheduler;
  /** As QEMU tells, in percent. */
  private volatile int inForce;
  private volatile int wanted;
  /** On the scheduler's clock, until when it is waited for. */
  private volatile long actsBy;
  private boolean wasUsed;
  private boolean isPaused;

  GuestThrottle(Scheduler scheduler) {
    this.scheduler = scheduler;
  }

  /** Whether the guest is held back is ours to say; QEMU would begin by itself at its first stall. */
  static void prepare(JsonObject parameters) {
    parameters.addProperty("cpu-throttle-initial", LEAST);
    parameters.addProperty("max-cpu-throttle", LEAST);
    parameters.addProperty("throttle-trigger-threshold", 1);
  }

  /**
   * Holds the guest back, from QEMU's next look at its memory on.
   *
   * @param percent of the time, up to 99
   */
  void set(Qmp monitor, int percent) throws IOException, InterruptedException {
    JsonObject parameters = new JsonObject();
    LIMITS.forEach(each -> parameters.addProperty(each, Math.max(LEAST, percent)));
    JsonObject _ = monitor.execute("migrate-set-parameters", parameters);
    actsBy = scheduler.nanos() + LONGEST_DELAY.toNanos();
    wanted = percent;
    wasUsed |= percent > 0;
  }

  /** @param said what QEMU tells of its migration */
  void hear(JsonObject said) {
    inForce = said.has("cpu-throttle-percentage") ? said.get("cpu-throttle-percentage").getAsInt() : 0;
  }

  /** It is in force, or does not come: a guest that writes little is not held back. */
  boolean isSettled() {
    return inForce >= wanted || scheduler.nanos() > actsBy;
  }

  /**
   * Stops the machine, if it runs and is held back, so that QEMU can release it: a vCPU that comes to its sleep only when that is over
   * is never put to sleep again, as {@code cpu_throttle_thread} in {@code system/cpu-throttle.c} then returns without clearing
   * {@code throttle_thread_scheduled}. While the machine is stopped none is on its way there. Followed by {@link #goOn}.
   */
  void pause(Qmp monitor) throws IOException, InterruptedException {
    if (wasUsed && RunState.of(monitor).equals(RunState.RUNNING)) {
      isPaused = true;
      JsonObject _ = monitor.execute("stop", new JsonObject(), Guest.LONGEST_DRAIN);
    }
  }

  /** Has the machine go on if it was only stopped for {@link #pause}. */
  void goOn(Qmp monitor) throws IOException, InterruptedException {
    if (isPaused) {
      RunState.goOn(monitor, scheduler);
      isPaused = false;
    }
  }
}
