package dev.pageferry.agent;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.failure.IoFailure;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends what an agent has to do with guests: all that is not in doubt at once, whatever takes how long to settle, so that their
 * disks are released well even if the process is killed meanwhile. Nothing is waited for without a bound, and what fails keeps
 * nothing else from ending.
 */
final class OrderlyEnd {
  private static final Logger log = LoggerFactory.getLogger(OrderlyEnd.class);

  /** Something that ends a part. */
  interface Part {
    void end() throws InterruptedException;
  }

  private final Scheduler scheduler;
  private final Duration release;

  /** @param release how long the release of what is not in doubt is waited for */
  OrderlyEnd(Scheduler scheduler, Duration release) {
    this.scheduler = scheduler;
    this.release = release;
  }

  /**
   * Settles what is in doubt, which bounds itself, and releases the rest beside it. Returns once both are over.
   *
   * @param settling may ask the coordinator, which must be heard for as long
   * @param releasing of what is not in doubt
   */
  void settleAndRelease(Part settling, Part releasing) throws InterruptedException {
    Task released = start("release", releasing);
    try {
      settling.end();
    } finally {
      await(released);
    }
  }

  /** Releases what has come to be here meanwhile. */
  void release(Part releasing) throws InterruptedException {
    await(start("release", releasing));
  }

  /** A thread of its own: storage may hang. */
  private Task start(String name, Part part) {
    return scheduler.startBlocking(name, () -> {
      try {
        part.end();
      } catch (InterruptedException e) {
        scheduler.current().interrupt();
      } catch (RuntimeException | Error e) {
        log.warn("guests were not released well: {}", IoFailure.sentence(e), e);
      }
    });
  }

  private void await(Task releasing) throws InterruptedException {
    if (!releasing.join(release)) {
      log.warn("disks do not answer; their guests are left to the end of the process");
    }
  }
}
