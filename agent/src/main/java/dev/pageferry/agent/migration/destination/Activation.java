package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.disk.IncomingDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.migration.OwnershipClient.Decision;
import dev.pageferry.agent.migration.OwnershipClient.Outcome;
import dev.pageferry.agent.migration.OwnershipClient.UnreachableException;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.proto.migration.v1.Running;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/** Stage 5: this host owns the guest now, opens its disks and lets it run, as soon as its lease allows. */
final class Activation {
  private static final long FIRST_STEP_WAIT_MILLIS = 10_000;
  private static final Duration RETRY = Duration.ofMillis(500);

  private final DestinationSession session;
  private final IncomingGuest vm;
  private final OwnershipEpoch epoch;
  private final long startNanos;

  Activation(DestinationSession session, IncomingGuest vm) {
    this.session = session;
    this.vm = vm;
    this.epoch = session.epoch().next();
    this.startNanos = session.environment().ticker().nanos();
  }

  /**
   * A guest that is not this host's any more.
   *
   * @param reason why its disks could not be opened
   */
  record GivenBack(String reason, Fate diskFate) {
  }

  /**
   * Opens the disks. Where that cannot be done, the guest goes back to the source's copy, if the source lives; if it does
   * not, this is the only copy there is, and it stands here until its disks can be opened.
   *
   * @param incoming disks that came with the guest, and have no names yet
   * @return why the guest went back; empty if its disks are open
   */
  Optional<GivenBack> openDisksOrGiveUp(Optional<IncomingDisks> incoming) throws InterruptedException {
    session.environment().failpoints().at("destination.activation.before-resume");
    session.environment().lease().awaitLive();
    while (true) {
      try {
        if (incoming.isPresent()) {
          incoming.get().promote();
        }
        session.environment().disks().open(vm, DiskClaim.orderly(session.spec().id().value(), epoch.value()));
        return Optional.empty();
      } catch (IOException e) {
        session.log().warn("disks cannot be opened: {}", String.valueOf(e.getMessage()));
        Optional<Fate> gone = giveBack();
        if (gone.isPresent()) {
          return Optional.of(new GivenBack(String.valueOf(e.getMessage()), gone.get()));
        }
        Thread.sleep(RETRY);
      }
    }
  }

  /** @return what becomes of the disks, if the VM is not this host's any more */
  private Optional<Fate> giveBack() throws InterruptedException {
    while (true) {
      try {
        Decision decision = session.environment().ownership().giveBack(session.spec().id(), session.migration());
        session.log().info("the coordinator says {} epoch={}", decision.outcome(), decision.epoch());
        boolean ours = decision.outcome() == Outcome.COMMITTED && decision.epoch() == epoch.value();
        return ours ? Optional.empty() : Optional.of(Fate.of(decision));
      } catch (UnreachableException | RuntimeException e) {
        // It may have moved the guest back: only an answer tells.
        session.log().warn("the coordinator could not be asked: {}", String.valueOf(e.getMessage()));
        Thread.sleep(RETRY);
      }
    }
  }

  void run() throws InterruptedException {
    session.environment().activeGuests().adopt(vm, epoch);
    vm.resume(PauseReason.MIGRATION);
    long firstStep = vm.isPaused() ? 0 : vm.awaitFirstStep(FIRST_STEP_WAIT_MILLIS);
    double seconds = firstStep == 0
        ? session.environment().ticker().secondsSince(startNanos)
        : (firstStep - startNanos) / 1e9;
    session.link().send(Running.newBuilder().setResumeSeconds(seconds).setSteps(vm.steps()).build());
  }
}
