package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Has a machine go on that stopped by itself, or did not go on when it was to, as soon as that can be done. */
final class MachineRecovery {
  private static final Duration RETRY = Duration.ofMillis(500);
  /** Between attempts at a machine that does not answer; an operator may try at any time. */
  private static final Duration LATER = Duration.ofSeconds(5);
  private static final int MOST_ATTEMPTS = 12;
  private static final Logger log = LoggerFactory.getLogger(MachineRecovery.class);

  private final Machine machine;
  private final ServedDisks disks;
  private final BooleanSupplier mayRun;
  private final Scheduler scheduler;
  private final AtomicInteger calls = new AtomicInteger();
  private final AtomicBoolean busy = new AtomicBoolean();

  MachineRecovery(Machine machine, ServedDisks disks, BooleanSupplier mayRun, Scheduler scheduler) {
    this.machine = machine;
    this.disks = disks;
    this.mayRun = mayRun;
    this.scheduler = scheduler;
  }

  /** Something has failed. Does not wait; any thread. */
  void begin() {
    int _ = calls.incrementAndGet();
    if (busy.compareAndSet(false, true)) {
      boolean isStarted = false;
      try {
        Task _ = scheduler.start("recovery", this::run);
        isStarted = true;
      } finally {
        if (!isStarted) {
          busy.set(false);
        }
      }
    }
  }

  /** Stops the machine; one that does not answer is not known to be stopped, and is ended. */
  void stop() throws InterruptedException {
    try {
      machine.settle();
    } catch (IOException e) {
      log.error("a machine does not pause, and is ended: {}", e.getMessage());
      machine.kill();
    }
  }

  /** As {@link #stop}, soon: another command may be under way, and its QEMU hung, which is not waited for. */
  void stopSoon() throws InterruptedException {
    Task stopping = scheduler.start("fence", () -> {
      try {
        stop();
      } catch (InterruptedException e) {
        scheduler.current().interrupt();
      }
    });
    if (!stopping.join(Guest.LONGEST_DRAIN)) {
      log.error("a machine does not pause within {} s, and is ended", Guest.LONGEST_DRAIN.toSeconds());
      machine.kill();
    }
  }

  private void run() {
    int seen;
    do {
      seen = calls.get();
      try {
        recover();
      } catch (InterruptedException e) {
        scheduler.current().interrupt();
        return;
      } catch (RuntimeException e) {
        log.error("a machine was not brought to go on", e);
      } finally {
        busy.set(false);
      }
    } while (calls.get() != seen && busy.compareAndSet(false, true));
  }

  private void recover() throws InterruptedException {
    while (machine.isStoppedByDisk(disks.failure())) {
      if (!disks.failure().passes()) {
        return;
      }
      do {
        scheduler.sleep(RETRY);
      } while (mayRun.getAsBoolean() && machine.isHalted() && !disks.held().isPermitted());
      if (!mayRun.getAsBoolean()) {
        // Whoever lets it run has it go on.
        return;
      }
      boolean _ = machine.settleAnyway();
      // It makes its requests again, which may fail again.
      scheduler.sleep(RETRY);
    }
    for (int i = 0; i < MOST_ATTEMPTS && machine.isHalted() && mayRun.getAsBoolean(); i++) {
      scheduler.sleep(LATER);
      boolean _ = machine.settleAnyway();
    }
  }
}
