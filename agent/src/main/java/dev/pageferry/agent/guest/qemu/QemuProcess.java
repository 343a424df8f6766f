package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** A QEMU that runs as a child of this process, and its monitor. */
final class QemuProcess implements AutoCloseable {
  private static final Duration START = Duration.ofSeconds(20);
  private static final Duration CHECK = Duration.ofMillis(5);
  private static final Duration ENDS = Duration.ofSeconds(1);
  private static final int TAIL = 500;
  /** What Java adds to the number of the signal that ended a process. */
  private static final int SIGNALLED = 128;

  private final Process process;
  private final Qmp monitor;
  private final Path log;
  private boolean loaded;

  private QemuProcess(Process process, Qmp monitor, Path log) {
    this.process = process;
    this.monitor = monitor;
    this.log = log;
  }

  /**
   * Waits for the monitor of one that was just started.
   *
   * @throws IOException with what it said, if it ends at once
   */
  static QemuProcess of(Process process, MachineFiles files, Scheduler scheduler, Consumer<JsonObject> events)
      throws IOException, InterruptedException {
    Path log = files.log();
    Path socket = files.monitor();
    boolean isOurs = false;
    try {
      long end = scheduler.nanos() + START.toNanos();
      while (!Files.exists(socket)) {
        if (!process.isAlive()) {
          throw new IOException("QEMU did not start: " + tail(log));
        }
        if (scheduler.nanos() > end) {
          throw new IOException("QEMU's monitor did not come within %d s: %s".formatted(START.toSeconds(), tail(log)));
        }
        scheduler.sleep(CHECK);
      }
      Qmp monitor = Qmp.connect(socket, scheduler, events);
      if (!monitor.version().isAtLeast(QemuVersion.OLDEST)) {
        throw new IOException("QEMU here is %s, which cannot move a running machine safely; %s is needed".formatted(
            monitor.version(), QemuVersion.OLDEST));
      }
      isOurs = true;
      return new QemuProcess(process, monitor, log);
    } catch (IOException e) {
      // A socket of one that is just ending is there, and refuses.
      throw endsSoon(process) ? new IOException("QEMU did not start: " + tail(log), e) : e;
    } finally {
      if (!isOurs) {
        process.destroyForcibly();
      }
    }
  }

  private static boolean endsSoon(Process process) throws InterruptedException {
    return process.waitFor(ENDS.toMillis(), TimeUnit.MILLISECONDS);
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
    return process.isAlive();
  }

  /** Has something done once it has ended, for whatever reason; on a thread of its own. */
  void onEnd(Runnable then) {
    var _ = process.onExit().thenRunAsync(then, each -> {
      Thread _ = Thread.ofVirtual().start(each);
    });
  }

  /** How it ended, and the last that it said, in one line. */
  String epitaph() {
    int code = process.exitValue();
    return "QEMU ended (%s): %s".formatted(code > SIGNALLED ? "signal " + (code - SIGNALLED) : "exit code " + code,
        tail(log));
  }

  private static String tail(Path log) {
    try {
      String all = Files.readString(log).strip().replace('\n', ' ');
      return all.isEmpty() ? "it said nothing" : all.substring(Math.max(0, all.length() - TAIL));
    } catch (IOException e) {
      return "what it said cannot be read";
    }
  }

  /** Ends it, and waits until the kernel has taken its memory and files back. */
  void kill() {
    process.destroyForcibly();
    boolean interrupted = false;
    while (true) {
      try {
        int _ = process.waitFor();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    kill();
    try {
      monitor.close();
    } catch (IOException e) {
      // It is gone.
    }
  }
}
