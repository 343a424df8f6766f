package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.migration.destination.DestinationMigration.Ending;
import dev.pageferry.agent.migration.destination.Reception.Owned;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.common.concurrent.Backoff;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.migration.MigrationStage;
import dev.pageferry.proto.migration.v1.Running;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Stage 5: this host owns the guest now, opens its disks and lets it run, as soon as its lease allows. Where that cannot be
 * done, the guest goes back to the source's copy, if the source lives; if it does not, this is the only copy there is, and
 * it stays paused here until it can be.
 */
final class Activation {
  private static final long FIRST_SIGN_WAIT_MILLIS = 10_000;

  private final DestinationSession session;
  private final Owned owned;
  private final IncomingGuest guest;
  private final OwnershipEpoch epoch;
  private final OwnershipDialogue dialogue;
  private final Supplier<Ending> ending;
  private final long startNanos;
  private boolean entered;
  /** It was to go back, and is this host's all the same. */
  private boolean isLeftHere;
  /**
   * It was asked for that it goes back. That may be acted upon late, whatever was answered since, until the row has it noted that the
   * guest runs here.
   */
  private boolean mayGoBack;
  /** Why it could not run when that was tried last; it is tried for as long as it takes, and said when it changes. */
  private String trouble = "";

  /** @param ending of this agent: a guest goes back rather than to end with it */
  Activation(DestinationSession session, Owned owned, OwnershipDialogue dialogue, Supplier<Ending> ending) {
    this.session = session;
    this.owned = owned;
    this.guest = owned.guest();
    this.epoch = owned.ruling().epoch();
    this.dialogue = dialogue;
    this.ending = ending;
    this.startNanos = session.environment().ticker().nanos();
  }

  /** @return the ruling by which the guest went back; empty if it runs here */
  Optional<Ruling.NotOurs> run() throws InterruptedException {
    Backoff backoff = session.environment().line().backoff();
    while (true) {
      try {
        if (ending.get() == Ending.FAR) {
          enter();
          prepare();
          if (mayGoBack) {
            noteThatItRuns();
          }
          adopt();
          dialogue.ends();
          letRun();
          return Optional.empty();
        }
        if (isNew("this agent is shutting down")) {
          session.log().warn("the guest goes back: {}", trouble);
        }
      } catch (IOException e) {
        if (isNew(IoFailure.sentence(e))) {
          session.log().warn("the guest cannot run here: {}", trouble);
        }
      } catch (InterruptedException e) {
        rethrowUnlessItGoesBack(e);
      } catch (RuntimeException | Error e) {
        if (isNew(e.toString())) {
          session.log().warn("the guest cannot run here", e);
        }
      }
      try {
        // It has not run: whatever went wrong, another host may still run it.
        mayGoBack = true;
        if (dialogue.giveBack() instanceof Ruling.NotOurs notOurs) {
          return Optional.of(notOurs);
        }
        isLeftHere = true;
        dialogue.cannotRun(trouble);
        session.environment().scheduler().sleep(backoff.next());
      } catch (InterruptedException e) {
        rethrowUnlessItGoesBack(e);
      }
    }
  }

  private boolean isNew(String reason) {
    boolean isNew = !reason.equals(trouble);
    trouble = reason;
    return isNew;
  }

  private void rethrowUnlessItGoesBack(InterruptedException e) throws InterruptedException {
    if (ending.get() != Ending.NEAR) {
      throw e;
    }
  }

  /** Once: what is tried again is the rest. */
  private void enter() throws InterruptedException {
    if (!entered) {
      entered = true;
      session.environment().failpoints().entering("destination", MigrationStage.ACTIVATION);
      session.environment().failpoints().at("destination.activation.before-resume");
    }
  }

  private void prepare() throws IOException, InterruptedException {
    session.environment().lease().awaitLive();
    if (owned.disks().isPresent()) {
      owned.disks().get().promote();
    }
    guest.openDisks(DiskClaim.orderly(session.spec().id().value(), epoch.value()));
    // One that is over, and was not taken back, stays here for an operator to see.
    if (!isLeftHere || !guest.condition().isOver()) {
      guest.requireReady();
    }
  }

  /**
   * From then on nobody gives it back.
   *
   * @throws IOException if it is not this host's any more: what became of it, and so of its disks, is asked next
   */
  private void noteThatItRuns() throws IOException, InterruptedException {
    if (dialogue.started() instanceof Ruling.NotOurs) {
      throw new IOException("the coordinator says that it is not to run here any more");
    }
    // Until it is among this host's guests it is to be heard of.
    dialogue.cannotRun("this host's lease is waited for");
  }

  private void adopt() throws IOException, InterruptedException {
    // Disks and answers may have taken their time: who was frozen meanwhile finds its lease over.
    session.environment().lease().awaitLive();
    if (dialogue.lastWord().isOver(epoch)) {
      throw new IOException("the coordinator has said meanwhile that the VM is not to run here");
    }
    session.environment().activeGuests().adopt(guest, epoch);
  }

  /** Nothing here may fail in a way that has the guest given back: it runs. */
  private void letRun() {
    try {
      guest.runOn(owned.ruling());
      long firstSign = guest.isPaused() ? 0 : guest.awaitFirstSign(FIRST_SIGN_WAIT_MILLIS);
      double seconds = firstSign == 0
          ? session.environment().ticker().secondsSince(startNanos)
          : (firstSign - startNanos) / 1e9;
      session.link().send(Running.newBuilder().setResumeSeconds(seconds).setSteps(Replayable.stepsOf(guest)).build());
      session.log().info("stage={} the guest runs after {} s", MigrationStage.ACTIVATION, seconds);
    } catch (InterruptedException e) {
      // For whoever waits next.
      session.environment().scheduler().current().interrupt();
    } catch (RuntimeException | Error e) {
      session.log().warn("the guest runs, and its source was not told", e);
    }
  }
}
