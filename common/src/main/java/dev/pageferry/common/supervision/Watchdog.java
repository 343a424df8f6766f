package dev.pageferry.common.supervision;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the service manager that this process lives, as long as each of its loops turns: each has run a task since it was told
 * last. Nothing else counts. What storage or another program answers must not end a process that hosts guests, so no loop may
 * be given here that waits for those.
 */
public final class Watchdog {
  /** Of the manager's patience: one beat may be late, or lost. */
  private static final int BEATS = 4;

  /** A thread that runs tasks one after the other, and never blocks. */
  public record Loop(String name, Executor executor) {
  }

  private final ServiceManager manager;
  private final List<Probe> probes;
  private boolean isLate;

  Watchdog(ServiceManager manager, List<Loop> loops) {
    this.manager = manager;
    this.probes = loops.stream().map(Probe::new).toList();
  }

  /** Begins, where the service manager asks for it; as long as the process lives. */
  public static void start(ServiceManager manager, List<Loop> loops, Scheduler scheduler) {
    if (manager.patience().isEmpty()) {
      return;
    }
    Duration interval = manager.patience().get().dividedBy(BEATS);
    Watchdog watchdog = new Watchdog(manager, loops);
    // A thread of its own: what others run on is what it looks at.
    Task _ = scheduler.startBlocking("watchdog", () -> {
      try {
        while (true) {
          watchdog.look();
          scheduler.sleep(interval);
        }
      } catch (InterruptedException e) {
        // The process ends.
      }
    });
  }

  /** Beats if all loops have turned since the last beat, and asks them to turn again. */
  void look() {
    List<Probe> stuck = probes.stream().filter(each -> !each.hasTurned()).toList();
    if (stuck.isEmpty()) {
      probes.forEach(Probe::ask);
      manager.alive();
    } else if (!isLate) {
      LoggerFactory.getLogger(Watchdog.class).warn("event loops have not run a task since the last check: {}",
          stuck.stream().map(each -> each.loop.name()).collect(Collectors.joining(", ")));
    }
    isLate = !stuck.isEmpty();
  }

  private static final class Probe {
    private static final Logger log = LoggerFactory.getLogger(Watchdog.class);
    private final Loop loop;
    private volatile boolean turned = true;

    private Probe(Loop loop) {
      this.loop = loop;
    }

    private boolean hasTurned() {
      return turned;
    }

    private void ask() {
      turned = false;
      try {
        loop.executor().execute(() -> turned = true);
      } catch (RejectedExecutionException e) {
        // It has ended, which only a process that ends lets happen.
        log.debug("{} takes no task: {}", loop.name(), e.toString());
      }
    }
  }
}
