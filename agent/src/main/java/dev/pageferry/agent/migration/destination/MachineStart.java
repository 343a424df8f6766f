package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.migration.DestinationLink;
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
  /** How soon a source is noticed that is gone. */
  private static final Duration LOOK = Duration.ofMillis(50);

  private final Promise<Boolean> ready;
  private final Task task;
  private volatile boolean ended;

  private MachineStart(IncomingGuest guest, Scheduler scheduler, Consumer<MigrationFailure> failed) {
    this.ready = scheduler.newPromise();
    this.task = scheduler.start("machine-start", () -> run(guest, failed));
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
  static MachineStart aside(IncomingGuest guest, Scheduler scheduler, Consumer<MigrationFailure> failed) {
    return new MachineStart(guest, scheduler, failed);
  }

  private void run(IncomingGuest guest, Consumer<MigrationFailure> failed) {
    try {
      now(guest);
      ready.complete(true);
    } catch (InterruptedException e) {
      ready.fail(e);
    } catch (MigrationFailure e) {
      tell(e, failed);
    } catch (RuntimeException | Error e) {
      tell(new MigrationFailure.Stopped(FailureCode.INTERNAL, e.toString()), failed);
    }
  }

  /** One that was ended fails in many ways. */
  private void tell(MigrationFailure failure, Consumer<MigrationFailure> failed) {
    ready.fail(failure);
    if (!ended) {
      failed.accept(failure);
    }
  }

  /** Waits, before the guest is given anything of its state, as long as the source is there. */
  void await(DestinationLink link) throws MigrationFailure, InterruptedException {
    while (!ready.isSettled()) {
      Optional<Boolean> _ = ready.await(LOOK);
      if (!link.isOpen() && !ready.isSettled()) {
        throw new MigrationFailure.PeerLost(FailureCode.SOURCE_LOST, "the source went away while the machine started");
      }
    }
    Throwable failure = ready.failure().orElse(null);
    if (failure instanceof MigrationFailure reason) {
      throw reason;
    }
    if (failure != null) {
      throw new InterruptedException("it is not wanted any more");
    }
  }

  /** It is not wanted any more. The guest's end waits until it has noticed. */
  void end() {
    ended = true;
    task.interrupt();
  }
}
