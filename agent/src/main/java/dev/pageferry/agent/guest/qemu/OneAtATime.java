package dev.pageferry.agent.guest.qemu;

import dev.pageferry.common.concurrent.Mutex;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a machine is told to do, one thing after the other. */
final class OneAtATime {
  private static final Logger log = LoggerFactory.getLogger(OneAtATime.class);

  private final String vm;
  private final Mutex mutex;

  OneAtATime(String vm, Scheduler scheduler) {
    this.vm = vm;
    this.mutex = scheduler.newMutex();
  }

  interface Work {
    void run() throws IOException, InterruptedException;
  }

  void run(Work work) throws IOException, InterruptedException {
    boolean _ = mutex.<Boolean, IOException>alone(() -> {
      work.run();
      return true;
    });
  }

  <T> T call(Mutex.Work<T, IOException> work) throws IOException, InterruptedException {
    return mutex.<T, IOException>alone(work);
  }

  /**
   * Does something whatever interrupts it, as often as it is interrupted.
   *
   * @param trouble for the log, where it fails
   * @return whether it was done
   */
  boolean anyway(Work work, String trouble) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          work.run();
          return true;
        } catch (InterruptedException e) {
          interrupted = true;
        } catch (IOException e) {
          log.error("vm={} {}: {}", vm, trouble, e.getMessage());
          return false;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
