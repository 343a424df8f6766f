package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.function.Consumer;

/** A QEMU that runs, and its monitor. */
final class QemuProcess implements AutoCloseable {
  private static final Duration START = Duration.ofSeconds(20);
  private static final Duration CHECK = Duration.ofMillis(5);
  private static final Duration ENDS = Duration.ofSeconds(1);
  private static final Duration LOOK = Duration.ofSeconds(5);

  private final KeptQemu qemu;
  private final Qmp monitor;
  private final MachineFiles files;
  private final Scheduler scheduler;
  private boolean loaded;
  private volatile boolean released;

  private QemuProcess(KeptQemu qemu, Qmp monitor, MachineFiles files, Scheduler scheduler) {
    this.qemu = qemu;
    this.monitor = monitor;
    this.files = files;
    this.scheduler = scheduler;
  }

  /**
   * Waits for the monitor of one that was just started, or found.
   *
   * @throws IOException with what it said, if it ends at once, or is too old
   */
  static QemuProcess of(KeptQemu qemu, MachineFiles files, Scheduler scheduler, Consumer<JsonObject> events)
      throws IOException, InterruptedException {
    try {
      long end = scheduler.nanos() + START.toNanos();
      while (!Files.exists(files.monitor())) {
        if (!qemu.isAlive()) {
          throw new IOException("QEMU did not start: " + files.saidLast());
        }
        if (scheduler.nanos() > end) {
          throw new IOException(
              "QEMU's monitor did not come within %d s: %s".formatted(START.toSeconds(), files.saidLast()));
        }
        scheduler.sleep(CHECK);
      }
      Qmp monitor = Qmp.connect(files.monitor(), scheduler, events);
      if (!monitor.version().isAtLeast(QemuVersion.OLDEST)) {
        throw new IOException("QEMU here is %s, which cannot move a running machine safely; %s is needed".formatted(
            monitor.version(), QemuVersion.OLDEST));
      }
      return new QemuProcess(qemu, monitor, files, scheduler);
    } catch (IOException e) {
      // A socket of one that is just ending is there, and refuses.
      throw endsSoon(qemu, scheduler) ? new IOException("QEMU did not start: " + files.saidLast(), e) : e;
    }
  }

  private static boolean endsSoon(KeptQemu qemu, Scheduler scheduler) throws InterruptedException {
    long end = scheduler.nanos() + ENDS.toNanos();
    while (qemu.isAlive() && scheduler.nanos() < end) {
      scheduler.sleep(CHECK);
    }
    return !qemu.isAlive();
  }

  /** Whether it was given a state, which it takes once. */
  boolean isLoaded() {
    return loaded;
  }

  void loads() {
    loaded = true;
  }

  Qmp monitor() {
    return monitor;
  }

  boolean isAlive() {
    return qemu.isAlive();
  }

  /** Has something done once it has ended, for whatever reason, unless it is let go before; on a thread of its own. */
  void onEnd(Runnable then) {
    Task _ = scheduler.start("qemu-end", () -> {
      try {
        while (!monitor.awaitEnd(LOOK) || qemu.isAlive()) {
          if (released) {
            return;
          }
          scheduler.sleep(CHECK);
        }
        then.run();
      } catch (InterruptedException e) {
        scheduler.current().interrupt();
      }
    });
  }

  /** How it ended, and the last that it said, in one line. */
  String epitaph() {
    return "QEMU ended (%s): %s".formatted(qemu.ending(), files.saidLast());
  }

  /** Ends it, and waits until the kernel has taken its memory and files back. */
  void kill() {
    qemu.kill();
  }

  /** Leaves it to the next agent. */
  void letGo() {
    released = true;
    closeMonitor();
    qemu.rest();
  }

  private void closeMonitor() {
    try {
      monitor.close();
    } catch (IOException e) {
      // It is gone.
    }
  }

  @Override
  public void close() {
    kill();
    closeMonitor();
  }
}
