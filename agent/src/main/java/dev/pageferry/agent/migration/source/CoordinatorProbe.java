package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.common.concurrent.Promise;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** Asks before a pause whether anybody could commit, and remembers how long the answer took. */
final class CoordinatorProbe {
  private static final Duration TIMEOUT = Duration.ofSeconds(2);

  private final OwnershipClient ownership;
  private @Nullable Promise<Duration> question;

  CoordinatorProbe(OwnershipClient ownership) {
    this.ownership = ownership;
  }

  /** Asks anew, without waiting. */
  void ask() {
    question = ownership.probe(TIMEOUT);
  }

  /** Waits for the answer to the last question. */
  boolean answers() throws InterruptedException {
    return question == null || question.await(TIMEOUT).isPresent();
  }

  /** What the answer took, if it is there by now. */
  double seconds() {
    return question == null ? 0 : question.now().map(taken -> taken.toNanos() / 1e9).orElse(0.0);
  }
}
