package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.VirtualMachine;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.proto.migration.v1.Running;

/** Stage 5: this host owns the guest now and lets it run, as soon as its lease allows. */
final class Activation {
  private static final long FIRST_STEP_WAIT_MILLIS = 10_000;

  private final DestinationSession session;
  private final VirtualMachine vm;

  Activation(DestinationSession session, VirtualMachine vm) {
    this.session = session;
    this.vm = vm;
  }

  void run() throws InterruptedException {
    long start = session.environment().ticker().nanos();
    session.environment().failpoints().at("destination.activation.before-resume");
    session.environment().lease().awaitLive();
    OwnershipEpoch epoch = session.epoch().next();
    session.environment().activeGuests().adopt(vm, epoch);
    vm.resume(PauseReason.MIGRATION);
    long firstStep = vm.isPaused() ? 0 : vm.awaitFirstStep(FIRST_STEP_WAIT_MILLIS);
    double seconds = firstStep == 0 ? session.environment().ticker().secondsSince(start) : (firstStep - start) / 1e9;
    session.link().send(Running.newBuilder().setResumeSeconds(seconds).setSteps(vm.steps()).build());
  }
}
