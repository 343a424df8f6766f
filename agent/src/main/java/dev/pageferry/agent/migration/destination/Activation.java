package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.migration.destination.DestinationMigration.Ending;
import dev.pageferry.agent.migration.destination.Reception.Owned;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.stage.MigrationStage;
import dev.pageferry.proto.migration.v1.Running;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Stage 5: this host owns the guest now, opens its disks and lets it run, as soon as its lease allows. Where that cannot be
 * done, the guest goes back to the source's copy, if the source lives; if it does not, this is the only copy there is, and
 * it stays paused here until it can be.
 */
final class Activation {
  private static final long FIRST_STEP_WAIT_MILLIS = 10_000;
  private static final Duration RETRY = Duration.ofMillis(500);

  private final DestinationSession session;
  private final Owned owned;
  private final IncomingGuest guest;
  private final OwnershipEpoch epoch;
  private final OwnershipDialogue dialogue;
  private final Supplier<Ending> ending;
  private final Supplier<Optional<CoordinatorsWord>> word;
  private final long startNanos;

  /**
   * @param ending of this agent: a guest goes back rather than to end with it
   * @param word what the coordinator has said of the VM by itself
   */
  Activation(DestinationSession session, Owned owned, OwnershipDialogue dialogue, Supplier<Ending> ending,
      Supplier<Optional<CoordinatorsWord>> word) {
    this.session = session;
    this.owned = owned;
    this.guest = owned.guest();
    this.epoch = owned.ruling().epoch();
    this.dialogue = dialogue;
    this.ending = ending;
    this.word = word;
    this.startNanos = session.environment().ticker().nanos();
  }

  /** @return the ruling by which the guest went back; empty if it runs here */
  Optional<Ruling.NotOurs> run() throws InterruptedException {
    while (true) {
      try {
        if (ending.get() == Ending.FAR) {
          prepare();
          letRun();
          return Optional.empty();
        }
        session.log().warn("the guest goes back: this agent is shutting down");
      } catch (IOException e) {
        session.log().warn("the guest cannot run here: {}", IoFailure.sentence(e));
      } catch (InterruptedException e) {
        rethrowUnlessItGoesBack(e);
      } catch (RuntimeException | Error e) {
        session.log().warn("the guest cannot run here", e);
      }
      try {
        // It has not run: whatever went wrong, another host may still run it.
        if (dialogue.giveBack() instanceof Ruling.NotOurs notOurs) {
          return Optional.of(notOurs);
        }
        session.environment().scheduler().sleep(RETRY);
      } catch (InterruptedException e) {
        rethrowUnlessItGoesBack(e);
      }
    }
  }

  private void rethrowUnlessItGoesBack(InterruptedException e) throws InterruptedException {
    if (ending.get() != Ending.NEAR) {
      throw e;
    }
  }

  private void prepare() throws IOException, InterruptedException {
    session.environment().failpoints().entering("destination", MigrationStage.ACTIVATION);
    session.environment().failpoints().at("destination.activation.before-resume");
    session.environment().lease().awaitLive();
    if (owned.disks().isPresent()) {
      owned.disks().get().promote();
    }
    if (guest.disks().isEmpty()) {
      session.environment().disks().open(guest, DiskClaim.orderly(session.spec().id().value(), epoch.value()));
    }
    // Disks may have taken their time: who was frozen meanwhile finds its lease over.
    session.environment().lease().awaitLive();
    if (word.get().filter(said -> said.concerns(epoch)).isPresent()) {
      throw new IOException("the coordinator has said meanwhile that the VM is not to run here");
    }
    session.environment().activeGuests().adopt(guest, epoch);
  }

  /** Nothing here may fail in a way that has the guest given back: it runs. */
  private void letRun() {
    try {
      guest.runOn(owned.ruling());
      long firstStep = guest.isPaused() ? 0 : guest.awaitFirstStep(FIRST_STEP_WAIT_MILLIS);
      double seconds = firstStep == 0
          ? session.environment().ticker().secondsSince(startNanos)
          : (firstStep - startNanos) / 1e9;
      session.link().send(Running.newBuilder().setResumeSeconds(seconds).setSteps(guest.steps()).build());
      session.log().info("stage={} the guest runs after {} s", MigrationStage.ACTIVATION, seconds);
    } catch (InterruptedException e) {
      // For whoever waits next.
      session.environment().scheduler().current().interrupt();
    } catch (RuntimeException | Error e) {
      session.log().warn("the guest runs, and its source was not told", e);
    }
  }
}
