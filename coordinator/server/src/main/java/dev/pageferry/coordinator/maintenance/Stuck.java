package dev.pageferry.coordinator.maintenance;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.proto.cluster.v1.MovePlan;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** How long something has been waited for that does not come: not without end. */
final class Stuck {
  /** Where nothing of a plan moves for so long, for want of a place or of a host. */
  private static final Duration PATIENCE = Duration.ofMinutes(5);

  private final Scheduler scheduler;
  /** On the scheduler's clock. */
  private final Map<MoveKey, Long> since = new ConcurrentHashMap<>();

  Stuck(Scheduler scheduler) {
    this.scheduler = scheduler;
  }

  /** It is waited for; true once that was long enough. */
  boolean isForTooLong(MoveKey what) {
    long now = scheduler.nanos();
    long begun = since.computeIfAbsent(what, _ -> now);
    if (now - begun < PATIENCE.toNanos()) {
      return false;
    }
    since.remove(what);
    return true;
  }

  /** It is not waited for any more. */
  void clear(MoveKey what) {
    since.remove(what);
  }

  /** Something of the plan moved: who waits for the same begins to wait anew. */
  void clearAll(MovePlan.Builder plan) {
    since.keySet().removeIf(each -> each.plan().equals(plan.getId()));
  }

  /** Forgets what was noted for other plans than these. */
  void retain(Set<String> plansThatAre) {
    since.keySet().removeIf(each -> !plansThatAre.contains(each.plan()));
  }
}
