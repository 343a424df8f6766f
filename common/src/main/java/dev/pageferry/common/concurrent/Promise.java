package dev.pageferry.common.concurrent;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** A value that comes later, or the reason for which it does not. The first word counts. */
public final class Promise<T> {
  private record Outcome<T>(Optional<T> value, @Nullable Throwable failure) {
  }

  private final Signal settled;
  private final AtomicReference<@Nullable Outcome<T>> outcome = new AtomicReference<>();

  Promise(Signal settled) {
    this.settled = settled;
  }

  public void complete(T value) {
    settle(new Outcome<>(Optional.of(value), null));
  }

  public void fail(Throwable cause) {
    settle(new Outcome<>(Optional.empty(), cause));
  }

  private void settle(Outcome<T> word) {
    if (outcome.compareAndSet(null, word)) {
      settled.raise();
    }
  }

  public boolean isSettled() {
    return outcome.get() != null;
  }

  /** The value, if it came. */
  public Optional<T> now() {
    Outcome<T> word = outcome.get();
    return word == null ? Optional.empty() : word.value();
  }

  /** Why there is no value. */
  public Optional<Throwable> failure() {
    Outcome<T> word = outcome.get();
    return word == null ? Optional.empty() : Optional.ofNullable(word.failure());
  }

  /** Waits for the value; empty if it does not come in time, or never. */
  public Optional<T> await(Duration atMost) throws InterruptedException {
    boolean _ = settled.await(this::isSettled, atMost);
    return now();
  }
}
