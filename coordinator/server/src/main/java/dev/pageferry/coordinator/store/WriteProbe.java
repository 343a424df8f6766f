package dev.pageferry.coordinator.store;

import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Finds out whether records can be written, by writing one. Only when somebody asks, and seldom: a write is synced, and stands
 * in the way of others. A write that hangs keeps nobody waiting for long. Any thread may call.
 */
public final class WriteProbe {
  private static final String KEY = "probe";
  private static final Duration GOOD_FOR = Duration.ofSeconds(5);
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  private final RecordStore store;
  private final Scheduler scheduler;
  private final AtomicReference<@Nullable Attempt> last = new AtomicReference<>();

  /** @param written gets why it could not be written; empty: it was */
  private record Attempt(long startNanos, Promise<Optional<String>> written) {
  }

  public WriteProbe(RecordStore store, Scheduler scheduler) {
    this.store = store;
    this.scheduler = scheduler;
  }

  /** Why records cannot be written, as far as a moment ago; empty: they can. */
  public Optional<String> trouble() {
    Attempt attempt = attempt();
    try {
      return attempt.written().await(PATIENCE)
          .orElseGet(() -> Optional.of("records were not written for %d s".formatted(
              Duration.ofNanos(scheduler.nanos() - attempt.startNanos()).toSeconds())));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.of("interrupted");
    }
  }

  /** The attempt that counts now. One that hangs counts on: a second would hang too. */
  private Attempt attempt() {
    while (true) {
      Attempt before = last.get();
      boolean isOver = before == null || (before.written().isSettled()
          && scheduler.nanos() - before.startNanos() > GOOD_FOR.toNanos());
      if (before != null && !isOver) {
        return before;
      }
      Attempt next = new Attempt(scheduler.nanos(), scheduler.newPromise());
      if (last.compareAndSet(before, next)) {
        scheduler.startBlocking("write-probe", () -> next.written().complete(write()));
        return next;
      }
    }
  }

  private Optional<String> write() {
    try {
      byte[] now = Long.toString(scheduler.wallMillis()).getBytes(StandardCharsets.US_ASCII);
      return store.commit(new Transaction().put(KEY, now)) ? Optional.empty() : Optional.of("records were not written");
    } catch (RuntimeException | Error e) {
      // An attempt without an end would be the last one.
      return Optional.of(String.valueOf(e.getMessage()));
    }
  }
}
