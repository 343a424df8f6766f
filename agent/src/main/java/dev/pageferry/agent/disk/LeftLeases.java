package dev.pageferry.agent.disk;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Leases of disks that this host does not have open any more, and could not say so, since the storage did not answer. As long as this host
 * lives nobody else takes such a disk: so it is said as soon as the storage can be reached again, under the disk's lock.
 */
final class LeftLeases {
  private static final Logger log = LoggerFactory.getLogger(LeftLeases.class);
  /** Often: who wants the disk has its lock most of the time. */
  private static final Duration RETRY = Duration.ofMillis(100);

  private final Scheduler scheduler;
  private final List<Left> left = new CopyOnWriteArrayList<>();
  private final AtomicBoolean running = new AtomicBoolean();

  private record Left(LeaseSlot slot, LeaseRecord record) {
  }

  LeftLeases(Scheduler scheduler) {
    this.scheduler = scheduler;
  }

  /** @param record that this host wrote, and under which it has the disk open no more */
  void add(LeaseSlot slot, LeaseRecord record) {
    left.add(new Left(slot, record));
    begin();
  }

  /** This host has the disk anew: its word comes when that ends. */
  void forget(LeaseSlot slot) {
    left.removeIf(each -> each.slot().isSame(slot));
  }

  private void begin() {
    if (!running.compareAndSet(false, true)) {
      return;
    }
    boolean started = false;
    try {
      Task _ = scheduler.startBlocking("left-leases", this::run);
      started = true;
    } finally {
      if (!started) {
        running.set(false);
      }
    }
  }

  private void run() {
    try {
      while (!left.isEmpty()) {
        scheduler.sleep(RETRY);
        // One after another, outside of any lock: the storage may take its time, and more may be added meanwhile.
        for (Left each : left) {
          if (isSettled(each)) {
            left.remove(each);
          }
        }
      }
    } catch (InterruptedException e) {
      scheduler.current().interrupt();
      return;
    } finally {
      running.set(false);
    }
    if (!left.isEmpty()) {
      // Added when this task had just seen that there was none.
      begin();
    }
  }

  /** Whether nothing is left to be said. Where somebody has the lock, this host anew or another one, that one's word comes later. */
  private static boolean isSettled(Left each) {
    try {
      if (!isHeld(each)) {
        return true;
      }
      Optional<LeaseStore.Lock> free = each.slot().tryLock();
      if (free.isEmpty()) {
        return false;
      }
      try (LeaseStore.Lock _ = free.get()) {
        if (isHeld(each)) {
          each.slot().lease().write(each.record().released(""));
          log.info("vm={} a disk that was closed while the storage was away is released", each.record().vm());
        }
      }
      return true;
    } catch (IOException | RuntimeException e) {
      log.debug("vm={} a disk cannot be released yet: {}", each.record().vm(), e.toString());
      return false;
    }
  }

  private static boolean isHeld(Left each) throws IOException {
    // Boots differ where the lock was forgone; who has it is the same.
    return each.slot().lease().read().filter(now -> now.state() == LeaseRecord.State.HELD
        && now.isOfLife(each.record().incarnation()) && now.vm().equals(each.record().vm())
        && now.epoch() == each.record().epoch()).isPresent();
  }
}
