package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.migration.OwnershipClient;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Asks before a pause whether anybody could commit, and remembers how long the answer took. */
final class CoordinatorProbe {
  private static final Duration TIMEOUT = Duration.ofSeconds(2);

  private final OwnershipClient ownership;
  private double seconds;

  CoordinatorProbe(OwnershipClient ownership) {
    this.ownership = ownership;
  }

  boolean answers() throws InterruptedException {
    try {
      seconds = ownership.probe(TIMEOUT).get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS).toNanos() / 1e9;
      return true;
    } catch (ExecutionException | TimeoutException e) {
      return false;
    }
  }

  /** What the last answer took; 0 before the first one. */
  double seconds() {
    return seconds;
  }
}
