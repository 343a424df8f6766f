package dev.pageferry.agent.inspection;

import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;

/** Calls what may never answer: a file server that is gone, a name server. So many may wait at a time, and no more are begun. */
final class BoundedCall {
  private final Scheduler scheduler;
  private final int most;
  private final AtomicInteger waiting = new AtomicInteger();

  /** @param most calls that may hang at a time */
  BoundedCall(Scheduler scheduler, int most) {
    this.scheduler = scheduler;
    this.most = most;
  }

  /**
   * @param what is called, for messages: "the storage"
   * @throws IOException if it fails, does not answer in time, or so many others have not answered yet
   */
  <T> T call(String what, Duration atMost, Callable<T> call) throws IOException, InterruptedException {
    if (waiting.incrementAndGet() > most) {
      waiting.decrementAndGet();
      throw new IOException("%s has not answered %d earlier questions yet".formatted(what, most));
    }
    Promise<T> answer = scheduler.newPromise();
    try {
      start(call, answer);
    } catch (RuntimeException | Error e) {
      // For lack of threads: it is not waited for.
      waiting.decrementAndGet();
      throw e;
    }
    return answer.await(atMost).orElseThrow(() -> failure(what, atMost, answer));
  }

  private <T> void start(Callable<T> call, Promise<T> answer) {
    Task _ = scheduler.startBlocking("inspection", () -> {
      try {
        answer.complete(call.call());
      } catch (Exception e) {
        answer.fail(e);
      } catch (Error e) {
        answer.fail(e);
        throw e;
      } finally {
        waiting.decrementAndGet();
      }
    });
  }

  private static IOException failure(String what, Duration atMost, Promise<?> answer) {
    return answer.failure().map(it -> it instanceof IOException known ? known : new IOException(it))
        .orElseGet(() -> new IOException("%s did not answer within %d s".formatted(what, atMost.toSeconds())));
  }
}
