package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.OwnershipClient;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Asks before a pause whether anybody could commit, and remembers how long the answer took. */
final class CoordinatorProbe {
  private static final Duration TIMEOUT = Duration.ofSeconds(2);

  private final OwnershipClient ownership;
  private CompletableFuture<Duration> question = CompletableFuture.completedFuture(Duration.ZERO);

  CoordinatorProbe(OwnershipClient ownership) {
    this.ownership = ownership;
  }

  /** Asks anew, without waiting. */
  void ask() {
    question = ownership.probe(TIMEOUT);
  }

  /** Waits for the answer to the last question. */
  boolean answers() throws InterruptedException {
    try {
      question.get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
      return true;
    } catch (ExecutionException | TimeoutException e) {
      return false;
    }
  }

  /** What the answer took, if it is there by now. */
  double seconds() {
    return question.isDone() && !question.isCompletedExceptionally() ? question.join().toNanos() / 1e9 : 0;
  }
}
