package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.migration.FailureCode;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;

/** A skeleton's machine gets ready for the state that is to come. A QEMU takes a tenth of a second for that, in which pages may come already. */
final class MachineStart {
  /** The machine has an end of its own to its patience. */
  private static final Duration LOOK = Duration.ofMinutes(1);

  private final Promise<Boolean> ready;
  private final Task task;

  private MachineStart(Promise<Boolean> ready, Task task) {
    this.ready = ready;
    this.task = task;
  }

  /** Waits until it is ready. */
  static void now(IncomingGuest guest) throws MigrationFailure, InterruptedException {
    try {
      guest.expectState();
    } catch (IOException e) {
      throw new MigrationFailure.Stopped(FailureCode.DESTINATION_REFUSED, IoFailure.sentence(e));
    }
  }

  /** @param failed told at once if it does not get ready, on another thread */
  static MachineStart aside(IncomingGuest guest, Scheduler scheduler, Consumer<Throwable> failed) {
    Promise<Boolean> ready = scheduler.newPromise();
    return new MachineStart(ready, scheduler.start("machine-start", () -> {
      try {
        now(guest);
        ready.complete(true);
      } catch (InterruptedException e) {
        ready.fail(e);
      } catch (MigrationFailure e) {
        ready.fail(e);
        failed.accept(e);
      } catch (RuntimeException | Error e) {
        MigrationFailure unforeseen = new MigrationFailure.Stopped(FailureCode.INTERNAL, e.toString());
        ready.fail(unforeseen);
        failed.accept(unforeseen);
      }
    }));
  }

  /** Before the guest is given anything of its state. */
  void await() throws MigrationFailure, InterruptedException {
    while (!ready.isSettled()) {
      Optional<Boolean> _ = ready.await(LOOK);
    }
    Throwable failure = ready.failure().orElse(null);
    if (failure instanceof MigrationFailure reason) {
      throw reason;
    }
    if (failure != null) {
      throw new InterruptedException("it is not wanted any more");
    }
  }

  /** It is not wanted any more; whoever closes the guest waits for it. */
  void end() {
    task.interrupt();
  }
}
